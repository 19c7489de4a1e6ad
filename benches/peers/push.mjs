// LINE's Node SDK as its users write it. `push.mjs SDK_FOLDER` pushes each line of standard input,
// IN_FLIGHT at a time over the SDK's own kept connections, and writes how many were accepted. One
// line is one push: then it is what a platform's step would be.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { channelAccessToken, messagingApi } = createRequire(`${process.argv[2]}/`)("@line/bot-sdk");
const { URL: baseURL, TOKEN, CLIENT_ID, CLIENT_SECRET } = process.env;

async function issue() {
  const client = new channelAccessToken.ChannelAccessTokenClient({ baseURL });
  const token = await client.issueStatelessChannelTokenByClientSecret(CLIENT_ID, CLIENT_SECRET);
  return token.access_token;
}

const client = new messagingApi.MessagingApiClient({
  baseURL,
  channelAccessToken: TOKEN ?? (await issue()),
});
const bodies = readFileSync(0, "utf8").split("\n").filter(Boolean);
let [next, accepted] = [0, 0];

async function work() {
  while (next < bodies.length) {
    const answer = await client.pushMessage(JSON.parse(bodies[next++]));
    accepted += answer.sentMessages.length;
  }
}

await Promise.all(Array.from({ length: Number(process.env.IN_FLIGHT ?? 1) }, work));
console.log(`accepted ${accepted}`);
