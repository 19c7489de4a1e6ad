// Answers each invocation document on standard input by the module's dry run: plan.mjs MODULE

import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const { exports } = new WebAssembly.Instance(module, {});

for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) {
    const document = new TextEncoder().encode(line);
    const room = exports.reserve(document.length);
    new Uint8Array(exports.memory.buffer, room, document.length).set(document);
    const answer = exports.plan(room, document.length);
    const bytes = new Uint8Array(
        exports.memory.buffer,
        Number(answer >> 32n),
        Number(answer & 0xffffffffn),
    );
    console.log(new TextDecoder().decode(bytes));
}
