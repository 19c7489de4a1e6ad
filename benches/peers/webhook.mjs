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
