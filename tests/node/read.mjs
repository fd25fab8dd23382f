// Reads mail with mailparser. A request is the octets of a message behind their number (four
// octets, the most significant first); the answer is what was read, as JSON, in the same way.

import libmime from "libmime";
import mailparser from "mailparser";

// As they are: no links made of text, no text made of HTML, no data: URLs made of cid:.
const AS_IT_IS = { skipTextToHtml: true, skipHtmlToText: true, skipTextLinks: true, keepCidLinks: true };

// A group is none.
const mailboxes = (field) =>
    (field?.value ?? []).filter((one) => one.address).map(({ name, address }) => [name, address]);

// mailparser leaves to its own decoder what it does not know the meaning of.
const decoded = ([name, value]) =>
    [name, typeof value === "string" ? libmime.decodeWords(value) : value];

function answer(mail) {
    return {
        subject: mail.subject ?? "",
        from: mailboxes(mail.from),
        to: mailboxes(mail.to),
        cc: mailboxes(mail.cc),
        text: mail.text ?? "",
        html: mail.html || "",
        headers: Object.fromEntries([...mail.headers].map(decoded)),
        attachments: mail.attachments.map((part) => ({
            filename: part.filename ?? null,
            contentType: part.contentType,
            disposition: part.contentDisposition,
            cid: part.cid ?? null,
            octets: part.content.toString("base64"),
        })),
    };
}

let waiting = Buffer.alloc(0);
for await (const chunk of process.stdin) {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUInt32BE(0)) {
        const end = 4 + waiting.readUInt32BE(0);
        const mail = await mailparser.simpleParser(waiting.subarray(4, end), AS_IT_IS);
        waiting = waiting.subarray(end);
        const written = Buffer.from(JSON.stringify(answer(mail)));
        const size = Buffer.alloc(4);
        size.writeUInt32BE(written.length);
        process.stdout.write(Buffer.concat([size, written]));
    }
}
