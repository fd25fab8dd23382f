// Signs a message with Nodemailer. Each request is a line of JSON, and so is each answer.
//
//   {"load": {"octets": BASE64, "key": PEM, "domain": ..., "selector": ...}}   {}
//   {"sign": true}       sign it once                                        {"octets": BASE64}
//   {"times": N}         sign it N times                                     {"seconds": S}

import { createInterface } from "node:readline";
import DKIM from "nodemailer/lib/dkim";

let octets = Buffer.alloc(0);
let signer = null;

function load({ octets: encoded, key, domain, selector }) {
    octets = Buffer.from(encoded, "base64");
    signer = new DKIM({ domainName: domain, keySelector: selector, privateKey: key, cacheDir: false });
    return {};
}

async function sign() {
    const found = [];
    for await (const chunk of signer.sign(octets)) found.push(chunk);
    return found;
}

async function time(times) {
    const start = process.hrtime.bigint();
    for (let n = 0; n < times; n++) await sign();
    return { seconds: Number(process.hrtime.bigint() - start) / 1e9 };
}

for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    const answer = request.load
        ? load(request.load)
        : request.sign
          ? { octets: Buffer.concat(await sign()).toString("base64") }
          : await time(request.times);
    process.stdout.write(JSON.stringify(answer) + "\n");
}
