/** Where a JSON text stops being JSON. */
export interface JsonFault {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  readonly expected: string;
}

/** A key an object of a JSON text has twice; JSON.parse keeps the last alone. */
export interface DuplicateKey {
  /** From 1, of the second one. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  readonly key: string;
  /** Keys and indexes that lead to the object. */
  readonly steps: readonly (string | number)[];
}

/** What JSON.parse does not tell of a text. */
export interface JsonScan {
  readonly fault: JsonFault | null;
  readonly duplicates: readonly DuplicateKey[];
}

/** The first fault of a text that is no JSON; null when it is JSON. JSON.parse gives no reliable place. */
export function findJsonFault(text: string): JsonFault | null {
  return scanJson(text).fault;
}

/** Reads a text as JSON without keeping its values; takes no stack, so that any depth is read. */
export function scanJson(text: string): JsonScan {
  const scanner = new Scanner(text);
  const stop = scanner.run();
  return {
    fault: stop && { ...scanner.place(stop.at), expected: stop.expected },
    duplicates: scanner.duplicates.map(({ at, key, steps }) => ({ ...scanner.place(at), key, steps })),
  };
}

/** An object or array being read. */
interface Open {
  readonly close: '}' | ']';
  /** Keys so far, of an object. */
  readonly keys: Set<string> | null;
  /** Where it is: the last key, or the index. */
  step: string | number;
}

interface Stop {
  readonly at: number;
  readonly expected: string;
}

const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/uy;
const SPACE = /[ \t\n\r]*/uy;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/uy;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Below it characters may not stand in a string as they are. */
const FIRST_PRINTED = 0x20;

class Scanner {
  readonly duplicates: {
    readonly at: number;
    readonly key: string;
    readonly steps: readonly (string | number)[];
  }[] = [];
  readonly #text: string;
  readonly #open: Open[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Where the text stops being JSON; null when it does not. */
  run(): Stop | null {
    this.#space();
    for (;;) {
      const stop = this.#value() ?? this.#afterValue();
      if (stop === 'end') return null;
      if (stop) return stop;
    }
  }

  place(at: number): { readonly line: number; readonly column: number } {
    const before = this.#text.slice(0, at).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1 };
  }

  /** One scalar, or the beginning of an object or array up to its first value. */
  #value(): Stop | null {
    for (;;) {
      const opening = this.#text[this.#at];
      if (opening !== '{' && opening !== '[') return this.#scalar();
      this.#at += 1;
      this.#space();
      const close = opening === '{' ? '}' : ']';
      this.#open.push({ close, keys: opening === '{' ? new Set() : null, step: 0 });
      if (this.#text[this.#at] === close) return null;
      const stop = this.#member();
      if (stop) return stop;
    }
  }

  /** What follows a value: ends of what is open, and the next member. */
  #afterValue(): Stop | 'end' | null {
    for (;;) {
      this.#space();
      const open = this.#open.at(-1);
      if (!open)
        return this.#at === this.#text.length ? 'end' : { at: this.#at, expected: 'the end of the text' };
      const found = this.#text[this.#at];
      if (found === open.close) {
        this.#at += 1;
        this.#open.pop();
        continue;
      }
      if (found !== ',') return { at: this.#at, expected: `\`,\` or \`${open.close}\`` };
      this.#at += 1;
      this.#space();
      if (typeof open.step === 'number') open.step += 1;
      return this.#member();
    }
  }

  /** The key of a member, up to its value; nothing in an array. */
  #member(): Stop | null {
    const open = this.#open.at(-1);
    if (!open?.keys) return null;
    const at = this.#at;
    const stop = this.#string('a key in double quotes');
    if (stop) return stop;
    const key = JSON.parse(this.#text.slice(at, this.#at)) as string;
    if (open.keys.has(key)) {
      const steps = this.#open.slice(0, -1).map(({ step }) => step);
      this.duplicates.push({ at, key, steps });
    }
    open.keys.add(key);
    open.step = key;
    this.#space();
    if (this.#text[this.#at] !== ':') return { at: this.#at, expected: '`:` after the key' };
    this.#at += 1;
    this.#space();
    return null;
  }

  #scalar(): Stop | null {
    if (this.#text[this.#at] === '"') return this.#string('a value');
    SCALAR.lastIndex = this.#at;
    if (!SCALAR.test(this.#text)) return { at: this.#at, expected: 'a value' };
    this.#at = SCALAR.lastIndex;
    return null;
  }

  #string(expected: string): Stop | null {
    const from = this.#at;
    const bad = { at: from, expected };
    if (this.#text.charCodeAt(from) !== QUOTE) return bad;
    for (let at = from + 1; at < this.#text.length; at += 1) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) {
        this.#at = at + 1;
        return null;
      }
      if (code < FIRST_PRINTED) return { at, expected: 'an escape like \\n for a control character' };
      if (code !== BACKSLASH) continue;
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(this.#text)) return { at, expected: 'an escape like \\n or \\u00e9' };
      at = ESCAPE.lastIndex - 1;
    }
    return { at: from, expected: 'a `"` that ends this text' };
  }

  #space(): void {
    SPACE.lastIndex = this.#at;
    SPACE.test(this.#text);
    this.#at = SPACE.lastIndex;
  }
}
