// ajv on the connector's own schema: `validate.mjs MODULES SCHEMA DOCUMENT SECONDS` writes how long
// its very first check took (compile and validate) and how many a second it does once warm.
// Keywords and formats that only the connector has are passed over, so ajv does less.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, schemaFile, documentFile, seconds] = process.argv.slice(2);
const Ajv = createRequire(`${modules}/`)("ajv/dist/2020").default;
const schema = JSON.parse(readFileSync(schemaFile, "utf8"));
const document = JSON.parse(readFileSync(documentFile, "utf8"));

// Length in UTF-16 units, as the schema means it; it is also what ajv is quickest at.
const options = { strict: false, unicode: false, validateFormats: false, logger: false };
const start = performance.now();
const validate = new Ajv(options).compile(schema);
check();
const first = performance.now() - start;

function check() {
  if (!validate(document)) throw new Error(JSON.stringify(validate.errors));
}

function repeat() {
  const start = performance.now();
  let count = 0;
  while (performance.now() - start < seconds * 1000) {
    for (let i = 0; i < 10; i++) check();
    count += 10;
  }
  return (count / (performance.now() - start)) * 1000;
}

repeat(); // its compiler's time to get warm
console.log(JSON.stringify({ first_us: first * 1000, per_second: repeat() }));
