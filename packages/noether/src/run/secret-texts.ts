/** Shorter texts are no secrets: hiding them would tear words apart and hide nothing. */
const MIN_SECRET = 6;
/** Shorter lines of a secret of several lines stand in other texts as well. */
const MIN_LINE = 16;
/** A header's value that says what kind of credential follows (RFC 9110, section 11). */
const SCHEME = /^(?:Basic|Bearer|Digest|Token)\s+(\S.*)$/iu;

/** Where a secret is in a text: first character, and the one after the last. */
export type Range = readonly [start: number, end: number];

/** More spellings than this are found by their beginnings, which takes the same time however many there are. */
const MANY = 400;

/** The secrets of a run in every spelling they are looked for in. */
export class SecretTexts {
  readonly #known = new Set<string>();
  readonly #parts = new Set<string>();
  /** By the first characters; made once there are many. */
  #byStart: Map<string, string[]> | null = null;

  /** Takes note of a secret and its parts; of none that are too short. */
  add(secret: string): void {
    if (this.#parts.has(secret)) return;
    for (const part of partsOf(secret)) {
      if (part.length < MIN_SECRET || this.#parts.has(part)) continue;
      this.#parts.add(part);
      for (const spelling of spellings(part)) this.#note(spelling);
    }
  }

  /** How many spellings are looked for. */
  get size(): number {
    return this.#known.size;
  }

  /** Whether a text is a secret and nothing else. */
  has(text: string): boolean {
    return this.#known.has(text);
  }

  /** Whether a text holds a secret. */
  within(text: string): boolean {
    if (this.#known.size <= MANY) {
      for (const secret of this.#known) if (text.includes(secret)) return true;
      return false;
    }
    return this.#scan(text).next().done !== true;
  }

  /** Where secrets are in a text, by their start. */
  in(text: string): readonly Range[] {
    if (this.#known.size > MANY) return [...this.#scan(text)];
    const ranges: Range[] = [];
    for (const secret of this.#known) {
      for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1))
        ranges.push([at, at + secret.length]);
    }
    return ranges.toSorted(([a], [b]) => a - b);
  }

  #note(spelling: string): void {
    if (this.#known.has(spelling)) return;
    this.#known.add(spelling);
    if (this.#byStart) index(this.#byStart, spelling);
  }

  *#scan(text: string): Generator<Range> {
    if (this.#byStart === null) {
      this.#byStart = new Map();
      for (const known of this.#known) index(this.#byStart, known);
    }
    for (let at = 0; at + MIN_SECRET <= text.length; at += 1) {
      const candidates = this.#byStart.get(text.slice(at, at + MIN_SECRET)) ?? [];
      for (const secret of candidates) if (text.startsWith(secret, at)) yield [at, at + secret.length];
    }
  }
}

function index(byStart: Map<string, string[]>, secret: string): void {
  const start = secret.slice(0, MIN_SECRET);
  const others = byStart.get(start);
  if (others) others.push(secret);
  else byStart.set(start, [secret]);
}

/** A secret and what of it is one by itself: without white space around it, its lines, what follows `Bearer`, a password of `Basic`. */
function* partsOf(secret: string): Generator<string> {
  yield secret;
  const text = secret.trim();
  yield text;
  if (text.includes('\n'))
    for (const line of text.split('\n')) if (line.trim().length >= MIN_LINE) yield line.trim();
  const credential = SCHEME.exec(text)?.[1];
  if (credential === undefined) return;
  yield credential;
  const pair = /^basic/iu.test(text) ? Buffer.from(credential, 'base64').toString('utf8') : '';
  if (pair.includes(':')) yield pair.slice(pair.indexOf(':') + 1);
}

/** A secret as it is, inside JSON text and inside that again, in addresses and forms, in Base64 wherever it begins, and in hex. */
function spellings(secret: string): readonly string[] {
  const inJson = JSON.stringify(secret).slice(1, -1);
  return [
    secret,
    inJson,
    JSON.stringify(inJson).slice(1, -1),
    ...inAddress(secret),
    ...inBase64(secret),
    Buffer.from(secret).toString('hex'),
  ];
}

function inAddress(secret: string): readonly string[] {
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  try {
    const part = encodeURIComponent(secret);
    return [form, part, part.replaceAll(/%../gu, (code) => code.toLowerCase()), encodeURI(secret)];
  } catch {
    // Half a surrogate pair stands in no address.
    return [form];
  }
}

/** Three bytes are four digits: a secret looks different after each count of bytes, and its neighbours shape its first and last digit. */
function inBase64(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  return [0, 1, 2].flatMap((before) => {
    const digits = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const from = Math.ceil((before * 4) / 3);
    const own = digits.slice(from, Math.floor(((before + bytes.length) * 4) / 3));
    return [own, own.replaceAll('+', '-').replaceAll('/', '_')];
  });
}
