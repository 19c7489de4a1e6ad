// LINE's Node SDK as its users write it. `multicast.mjs SDK_FOLDER` sends TEXT to the people whose IDs
// stand in standard input, one a line: 500 in a request, each with a retry key, IN_FLIGHT at a time
// over the SDK's own kept connections. It writes to how many people it was accepted.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { messagingApi } = createRequire(`${process.argv[2]}/`)("@line/bot-sdk");
const { URL: baseURL, TOKEN: channelAccessToken, TEXT: text, IN_FLIGHT } = process.env;

const client = new messagingApi.MessagingApiClient({ baseURL, channelAccessToken });
const people = readFileSync(0, "utf8").split("\n").filter(Boolean);
const MOST = 500;
let [next, accepted] = [0, 0];

async function work() {
  while (next < people.length) {
    const to = people.slice(next, (next += MOST));
    await client.multicast({ to, messages: [{ type: "text", text }] }, randomUUID());
    accepted += to.length;
  }
}

await Promise.all(Array.from({ length: Number(IN_FLIGHT) }, work));
console.log(`accepted ${accepted}`);
