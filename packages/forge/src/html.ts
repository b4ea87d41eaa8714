/** Text that is HTML already: made by `html` alone. */
export interface Html {
  readonly text: string;
}

/** What goes into a template: text and numbers are escaped, HTML is not. */
type Part = string | number | Html | readonly Html[];

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function render(part: Part): string {
  if (typeof part === 'object') return 'text' in part ? part.text : part.map(({ text }) => text).join('');
  return String(part).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/** A piece of HTML: everything filled in is escaped unless it came from this function. */
export function html(fixed: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { text: fixed.map((text, index) => text + render(parts[index] ?? '')).join('') };
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:.5rem}td{padding:.1rem .6rem .1rem 0}
section{border-top:1px solid #ddd}.label{background:#eee;border-radius:.6rem;padding:0 .5rem;font-size:85%}`;

/** A whole page. It has no script. */
export function page(heading: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${heading}</title>
        <style>
          ${{ text: STYLE }}
        </style>
      </head>
      <body>
        <h1>${heading}</h1>
        <a href="/ui/">all repositories</a>${body}
      </body>
    </html>`;
}
