import { messageOf } from '@caloron/noether/errors';
import * as jsonc from 'jsonc-parser';

/** What is read from JSON text: its value, or every place where it is none. */
export type JsonText =
  | { readonly value: unknown; readonly problems?: undefined }
  | { readonly value?: undefined; readonly problems: readonly string[] };

/** More places than these help nobody: the first is what has to be corrected. */
const PLACES = 10;

/** Nothing that is written by hand or by a program on purpose is deeper; what reads JSON by calling itself has its limits. */
const LEVELS = 500;

/** What is wrong at a place, by jsonc-parser's word for it; where it is silent about the reason, it says what was expected. */
const SAID: Readonly<Record<string, string>> = {
  CloseBraceExpected: 'expected } here',
  CloseBracketExpected: 'expected ] here',
  ColonExpected: 'expected : after the name of a field',
  CommaExpected: 'expected a comma between two values',
  EndOfFileExpected: 'expected nothing after the end of the value',
  InvalidCharacter: 'a character inside a text has to be escaped, as \\n or \\u0001',
  InvalidCommentToken: 'JSON has no comments',
  InvalidEscapeCharacter: 'this escape is not one of JSON',
  InvalidNumberFormat: 'this is no number',
  InvalidSymbol: 'expected a value in JSON: text stands in "double quotes"',
  InvalidUnicode: 'expected \\u and four hex digits',
  PropertyNameExpected: 'expected the name of a field in "double quotes"',
  UnexpectedEndOfComment: 'JSON has no comments',
  UnexpectedEndOfNumber: 'this is no number',
  UnexpectedEndOfString: 'this text has no closing "',
  ValueExpected: 'expected a value',
};

/** Reads JSON. A field that is written twice is a problem as well: only one of the two would count. */
export function readJsonText(text: string): JsonText {
  if (text.trim() === '') return { problems: ['the file is empty; expected {"jobs": []}'] };
  const deep = tooDeep(text);
  if (deep !== null) return { problems: [`${placeOf(text, deep)}: expected at most ${LEVELS} levels`] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const found: jsonc.ParseError[] = [];
    jsonc.parseTree(text, found, { disallowComments: true, allowTrailingComma: false });
    const said = found.map(
      ({ error: code, offset }) => `${placeOf(text, offset)}: ${whyOf(text, code, offset)}`,
    );
    return { problems: said.length === 0 ? [messageOf(error)] : [...new Set(said)].slice(0, PLACES) };
  }
  const problems = repeatedFields(text);
  return problems.length === 0 ? { value } : { problems };
}

/** Where the text nests too deep, from its beginning; null where it does not. */
function tooDeep(text: string): number | null {
  const scanner = jsonc.createScanner(text, true);
  let level = 0;
  for (;;) {
    scanner.scan();
    const at = scanner.getTokenOffset();
    if (at >= text.length) return null;
    if (text[at] === '{' || text[at] === '[') level += 1;
    if (text[at] === '}' || text[at] === ']') level -= 1;
    if (level > LEVELS) return at;
  }
}

function whyOf(text: string, code: jsonc.ParseErrorCode, offset: number): string {
  const before = text.slice(0, offset).trimEnd();
  const closed = text[offset] === '}' || text[offset] === ']';
  if (closed && before.endsWith(',')) return `there is a comma before this ${text[offset]}; remove it`;
  const word = jsonc.printParseErrorCode(code);
  return SAID[word] ?? word;
}

function repeatedFields(text: string): readonly string[] {
  const problems: string[] = [];
  const open: Set<string>[] = [];
  jsonc.visit(text, {
    onObjectBegin: () => void open.push(new Set()),
    onObjectEnd: () => void open.pop(),
    onObjectProperty: (name, offset) => {
      const known = open.at(-1);
      if (known?.has(name) === true)
        problems.push(`${placeOf(text, offset)}: the field ${JSON.stringify(name)} is written twice`);
      known?.add(name);
    },
  });
  return problems;
}

/** Line and column from 1, as editors count. */
function placeOf(text: string, offset: number): string {
  const lines = text.slice(0, offset).split(/\r\n|\r|\n/u);
  return `line ${lines.length} column ${(lines.at(-1)?.length ?? 0) + 1}`;
}
