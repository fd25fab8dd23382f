// Verifies signatures with mailauth. A request is a line of JSON, and so is each answer.
//
//   {"octets": BASE64, "records": {NAME: TEXT}}    [[SELECTOR, DOMAIN, RESULT], ...]

import { createInterface } from "node:readline";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";

function resolver(records) {
    return async (name) => {
        if (!(name in records)) throw Object.assign(new Error(name), { code: "ENOTFOUND" });
        return [[records[name]]];
    };
}

async function answer({ octets, records }) {
    const { results } = await dkimVerify(Buffer.from(octets, "base64"), { resolver: resolver(records) });
    return results.map((found) => [found.selector, found.signingDomain, found.status.result]);
}

for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}
