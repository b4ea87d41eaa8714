/** Text of others inside a line of Markdown: it can set no heading, link, table cell, HTML or mention. */
export function inline(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(/[\\`*_[\]<>|#~]/g, '\\$&')
    .replaceAll('@', '@\u200b')
    .replace(/^([-+]|\d+[.)])(?=\s)/, '\\$1');
}

/** A Markdown table. The cells have to be escaped already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [row(head), `|${head.map((title) => '-'.repeat(title.length + 2)).join('|')}|`, ...rows.map(row)];
}
