// LINE's Node SDK as a receiver of webhooks, as small as it can be: node's own server, the SDK's
// check of the signature, the body parsed, 200. `webhook_server.mjs SDK_FOLDER` prints its port. What it
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
