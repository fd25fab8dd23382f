// Builds mail with Nodemailer: a request is a line of JSON, and so is its answer.
//
//   {"load": CASE}    the mail to build from now on    {}
//   {"build": true}   build it once                    {"octets": BASE64, "grown": OCTETS}
//   {"times": N}      build it N times                 {"seconds": S}

import MailComposer from "nodemailer/lib/mail-composer";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

let mail = {};

function load(wanted) {
    mail = {
        subject: wanted.subject,
        text: wanted.text,
        html: wanted.html || undefined,
        from: wanted.sender,
        to: wanted.recipients,
        attachments: wanted.files.map((file) => ({
            filename: file.filename,
            contentType: file.mimetype,
            content: Buffer.from(file.data, "base64"),
        })),
    };
    return {};
}

// What the system gave this process. (maxRSS also counts who started it.)
const resident = (which) =>
    1024 * readFileSync("/proc/self/status", "latin1").match(new RegExp(`${which}:\\s*(\\d+)`))[1];

// Nodemailer notes in the object that it was given what it found out: a new one each time.
const build = () => new MailComposer({ ...mail }).compile().build();

async function answer(request) {
    if (request.load) return load(request.load);
    if (request.build) {
        writeFileSync("/proc/self/clear_refs", "5"); // The peak so far is forgotten.
        const before = resident("VmRSS");
        const octets = await build();
        const grown = resident("VmHWM") - before;
        return { octets: octets.toString("base64"), grown };
    }
    const start = process.hrtime.bigint();
    for (let n = 0; n < request.times; n++) await build();
    return { seconds: Number(process.hrtime.bigint() - start) / 1e9 };
}

for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}
