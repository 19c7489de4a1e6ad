<<<<<<< HEAD
// LINE's Node SDK as its middleware uses it: `webhook.mjs MODULES BODY SECRET SIGNATURE SECONDS`
// verifies a body over its bytes and parses it, and writes how many a second it does once warm.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, bodyFile, secret, signature, seconds] = process.argv.slice(2);
const { validateSignature } = createRequire(`${modules}/`)("@line/bot-sdk");
const body = readFileSync(bodyFile);

function once() {
  if (!validateSignature(body, secret, signature)) throw new Error("the signature is refused");
  const { events } = JSON.parse(body.toString());
  if (events.length !== 5) throw new Error("the events are not five");
}

function perSecond() {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < seconds * 1000) {
    for (let i = 0; i < 100; i++) once();
    count += 100;
  }
  return (count / (performance.now() - start)) * 1000;
}

perSecond(); // its compiler's time to get warm
console.log(JSON.stringify({ bodies_per_second: perSecond() }));
=======
// LINE's Node SDK as a receiver of webhooks, as small as it can be: node's own server, the SDK's
// check of the signature, the body parsed, 200. `webhook.mjs SDK_FOLDER` prints its port. What it
// answers 200 is nowhere but in memory.

import { createServer } from "node:http";
import { createRequire } from "node:module";

const { validateSignature } = createRequire(`${process.argv[2]}/`)("@line/bot-sdk");
let events = 0;

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces);
    const signature = request.headers["x-line-signature"];
    if (!signature || !validateSignature(body, process.env.SECRET, signature)) {
      response.writeHead(401).end();
      return;
    }
    events += JSON.parse(body.toString("utf8")).events.length;
    response.writeHead(200).end();
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
>>>>>>> c3161a9e4e06f8882d564dafb6b792b63f68eba2
