// Builds and sends mail with Nodemailer. Each request is a line of JSON, and so is each answer.
//
//   {"load": CASE}         set the mail                        {}
//   {"build": true}        build it once                       {"octets": BASE64, "grown": OCTETS}
//   {"times": N}           build it N times                    {"seconds": S}
//   {"connect": OPTIONS}   set the transport                   {}
//   {"send": N}            send it N times, one by one         {"seconds": [S, ...]}
//   {"all": [FIELDS, ...]} send it with each, all at once      {"seconds": S, "cpu": S, "grown": OCTETS}

import nodemailer from "nodemailer";
import MailComposer from "nodemailer/lib/mail-composer";
import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

let mail = {};
let transport = null;

function load(wanted) {
    mail = {
        subject: wanted.subject,
        text: wanted.text,
        html: wanted.html || undefined,
        from: wanted.sender,
        to: wanted.recipients,
        bcc: wanted.bcc,
        attachments: [...wanted.files, ...wanted.images].map((file) => ({
            filename: file.filename,
            contentType: file.mimetype,
            content: Buffer.from(file.data, "base64"),
            ...(file.cid && { cid: file.cid, contentDisposition: "inline" }),
        })),
    };
    return {};
}

// The memory of this process. (maxRSS also counts the parent process.)
const resident = (which) =>
    1024 * readFileSync("/proc/self/status", "latin1").match(new RegExp(`${which}:\\s*(\\d+)`))[1];

// Nodemailer stores results in the object that it is given, so give it a new one each time.
const build = () => new MailComposer({ ...mail }).compile().build();

const seconds = (start) => Number(process.hrtime.bigint() - start) / 1e9;

// How much the process grows while it acts.
async function growing(act) {
    writeFileSync("/proc/self/clear_refs", "5"); // Reset the peak.
    const before = resident("VmRSS");
    const found = await act();
    return [found, resident("VmHWM") - before];
}

function connect(options) {
    transport?.close();
    if (options.ca) options.tls = { ca: readFileSync(options.ca) };
    transport = nodemailer.createTransport(options);
    return {};
}

async function sendInTurn(times) {
    const found = [];
    for (let n = 0; n < times; n++) {
        const start = process.hrtime.bigint();
        await transport.sendMail({ ...mail });
        found.push(seconds(start));
    }
    return found;
}

async function sendAll(several) {
    const cpu = process.cpuUsage();
    const start = process.hrtime.bigint();
    await Promise.all(several.map((fields) => transport.sendMail({ ...mail, ...fields })));
    const used = process.cpuUsage(cpu);
    return { seconds: seconds(start), cpu: (used.user + used.system) / 1e6 };
}

async function answer(request) {
    if (request.load) return load(request.load);
    if (request.build) {
        const [octets, grown] = await growing(build);
        return { octets: octets.toString("base64"), grown };
    }
    if (request.connect) return connect(request.connect);
    if (request.send) return { seconds: await sendInTurn(request.send) };
    if (request.all) {
        const [found, grown] = await growing(() => sendAll(request.all));
        return { ...found, grown };
    }
    const start = process.hrtime.bigint();
    for (let n = 0; n < request.times; n++) await build();
    return { seconds: seconds(start) };
}

for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + "\n");
}
transport?.close();
