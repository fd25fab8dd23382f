// Takes mail with smtp-server, whose options are the first argument, as JSON. Prints a line of JSON
// each: the port, then every message before it is answered. Ends when nobody holds its input open.

import { readFileSync } from "node:fs";
import smtpServer from "smtp-server";

const { users, tokens, cert, key, refused, ...options } = JSON.parse(process.argv[2]);

const refusal = (code, text) => Object.assign(new Error(text), { responseCode: code });
const print = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = new smtpServer.SMTPServer({
    ...options,
    ...(cert && { cert: readFileSync(cert), key: readFileSync(key) }),
    // It would ask the DNS for the name of 127.0.0.1.
    disableReverseLookup: true,
    onAuth({ method, username, password, accessToken }, session, done) {
        if (method === "XOAUTH2") {
            const right = tokens[username] === accessToken;
            return done(null, right ? { user: username } : { data: { status: "401" } });
        }
        return users[username] === password
            ? done(null, { user: username })
            : done(refusal(535, "Invalid username or password"));
    },
    onRcptTo: ({ address }, session, done) =>
        done(address in refused ? refusal(refused[address], "Not this one") : null),
    onData(stream, session, done) {
        const pieces = [];
        stream.on("data", (piece) => pieces.push(piece));
        stream.on("end", () => {
            print({
                sender: session.envelope.mailFrom.address,
                recipients: session.envelope.rcptTo.map((recipient) => recipient.address),
                content: Buffer.concat(pieces).toString("base64"),
                connection: session.id,
                user: session.user ?? null,
                secure: session.secure,
            });
            done();
        });
    },
});
// A client that closes with a reply unread is none of its business.
server.on("error", () => {});
server.listen(0, "127.0.0.1", () => print(server.server.address().port));
// What was printed is still on its way.
process.stdin.on("end", () => process.stdout.write("", () => process.exit(0))).resume();
