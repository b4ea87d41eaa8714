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

/** Colours by the reader's scheme; each has a contrast of 4.5 to 1 or more on what it stands on. */
const STYLE = `:root{color-scheme:light dark;--text:#1f2328;--soft:#59636e;--back:#fff;--box:#f3f4f6;--line:#d1d9e0;--link:#0550ae;
--good:#116329;--bad:#a40e26;--done:#6639ba;--add:#dafbe1;--del:#ffebe9;--hunk:#ddf4ff}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9da7b3;--back:#0d1117;--box:#1b2129;--line:#3d444d;--link:#6cb6ff;
--good:#57d364;--bad:#ff9492;--done:#cba6ff;--add:#12361f;--del:#451a1d;--hunk:#12304f}}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem;color:var(--text);background:var(--back)}
h1{font-size:1.5rem;line-height:1.3;margin:.5rem 0}h2{font-size:1.15rem;margin:1.5rem 0 .5rem}h1,td,summary{overflow-wrap:anywhere}
a{color:var(--link)}nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--box);padding:.5rem .75rem;
margin:.25rem 0;border-radius:.4rem}table{border-collapse:collapse;width:100%}td,th{padding:.35rem .6rem .35rem 0;text-align:start;vertical-align:top;border-top:1px solid var(--line)}
th{color:var(--soft);font-weight:normal}td.few,th.few{white-space:nowrap;overflow-wrap:normal;width:1%}section{border-top:1px solid var(--line);padding:.5rem 0}p{margin:.25rem 0}
.soft,time{color:var(--soft)}.state{font-weight:600}.open,.success{color:var(--good)}.closed,.failure,.error{color:var(--bad)}.merged{color:var(--done)}
.label{background:var(--box);border:1px solid var(--line);border-radius:1rem;padding:0 .5rem;font-size:85%;display:inline-block;max-width:100%}
details{border:1px solid var(--line);border-radius:.4rem;margin:.5rem 0}summary{padding:.4rem .6rem;font-family:ui-monospace,monospace;cursor:pointer}
details pre{margin:0;border-radius:0 0 .4rem .4rem;padding:0}.diff{font:13px/1.45 ui-monospace,monospace}
.diff span{display:block;padding:0 .6rem;min-height:1.45em;unicode-bidi:isolate;direction:ltr}.add{background:var(--add)}.del{background:var(--del)}.hunk{background:var(--hunk);color:var(--soft)}
@media (max-width:40rem){body{font-size:16px;padding:.6rem}tr.head{display:none}td{display:inline;border:0;padding:0 .5rem 0 0}tr{display:block;border-top:1px solid var(--line);padding:.4rem 0}td.wide{display:block}}`;

/** What a page has besides its heading and body. */
export interface PageOptions {
  /** Where the reader is, from the list of repositories on. */
  readonly trail?: Html;
  /** Seconds after which the page loads itself again; absent for a page that stays as it is. */
  readonly refresh?: number | undefined;
}

/** A whole page. It has no script. */
export function page(heading: string, body: Html, { trail = html``, refresh }: PageOptions = {}): Html {
  const again = refresh === undefined ? html`` : html`<meta http-equiv="refresh" content="${refresh}" />`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        ${again}
        <title>${heading}</title>
        <style>
          ${{ text: STYLE }}
        </style>
      </head>
      <body>
        <nav><a href="/ui/">all repositories</a>${trail}</nav>
        <main>
          <h1><bdi>${heading}</bdi></h1>
          ${body}
        </main>
      </body>
    </html>`;
}
