// Prints real mail templates as JSON, by name: what MJML makes, Foundation's own, and a plain one.

import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import inky from "inky";
import mjml from "mjml";

const require = createRequire(import.meta.url);
const folder = (name) => dirname(require.resolve(`${name}/package.json`));

const MJML = `
<mjml>
  <mj-head>
    <mj-title>Your order</mj-title>
    <mj-preview>It is on its way</mj-preview>
    <mj-breakpoint width="480px" />
    <mj-style>
      .card div { color: #333333; }
      .card a { color: #0066cc; text-decoration: none; }
      .card a:hover { color: #003399; }
      .wide { display: block; } .narrow { display: none; }
      h2.title { font-size: 28px; margin: 0 }
      @media (max-width: 480px) { .wide { display: none; } .narrow { display: block; } h2.title { font-size: 20px } }
      @media (prefers-color-scheme: dark) { .card div { color: #eeeeee; } .card a { color: #99ccff } .card { background: #222222 !important } }
    </mj-style>
  </mj-head>
  <mj-body background-color="#f4f4f4">
    <mj-section css-class="card" background-color="#ffffff">
      <mj-column width="40%"><mj-image src="https://shop.example/logo.png" alt="Shop" width="120px" /></mj-column>
      <mj-column width="60%">
        <mj-text><h2 class="title">Thank you</h2><p>It is <a href="https://shop.example/1">on its way</a>.</p></mj-text>
        <mj-text css-class="wide">For large screens</mj-text>
        <mj-text css-class="narrow">For small screens</mj-text>
        <mj-button href="https://shop.example/2" background-color="#0066cc">Follow it</mj-button>
        <mj-table><tr><th>Mug</th><td>24.00</td></tr></mj-table>
      </mj-column>
    </mj-section>
    <mj-section full-width="full-width" background-url="https://shop.example/bg.png">
      <mj-group><mj-column><mj-divider /><mj-text>One</mj-text></mj-column><mj-column><mj-text>Two</mj-text></mj-column></mj-group>
    </mj-section>
    <mj-section>
      <mj-column>
        <mj-accordion><mj-accordion-element><mj-accordion-title>Why</mj-accordion-title><mj-accordion-text>Because</mj-accordion-text></mj-accordion-element></mj-accordion>
        <mj-navbar hamburger="hamburger"><mj-navbar-link href="https://shop.example/3">Shop</mj-navbar-link></mj-navbar>
        <mj-social><mj-social-element name="github" href="https://shop.example/4">Us</mj-social-element></mj-social>
        <mj-carousel><mj-carousel-image src="https://shop.example/a.png" /><mj-carousel-image src="https://shop.example/b.png" /></mj-carousel>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>`;

function foundation() {
    const css = readFileSync(join(folder("foundation-emails"), "dist/foundation-emails.css"), "utf8");
    const templates = join(folder("foundation-emails"), "templates");
    // The page that Foundation's own projects put around them.
    const page = (body) => `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head>
<meta http-equiv="Content-Type" content="text/html; charset=utf-8"><meta name="viewport" content="width=device-width">
<title>Foundation</title><style>${css}</style></head><body>
<table class="body" data-made-with-foundation><tr><td class="float-center" align="center" valign="top"><center data-parsed>
${body}
</center></td></tr></table></body></html>`;
    return readdirSync(templates).map((name) => {
        const source = readFileSync(join(templates, name), "utf8");
        const made = new inky.Inky({}).releaseTheKraken(source, {});
        return [`foundation-${name.replace(".html", "")}`, page(made)];
    });
}

const plain = readFileSync(join(folder("responsive-html-email-template"), "email.html"), "utf8");
const { html } = await mjml(MJML);
process.stdout.write(JSON.stringify(Object.fromEntries([["mjml", html], ["plain", plain], ...foundation()])));
