import type { GraphError } from '../graph/errors.ts';
import type { Json } from '../ports.ts';
import type { Facts } from './operator-case.ts';

/** What a refusal to parse is about: the original's kind of error, and the word it names. */
export interface ParseComplaint {
  readonly kind: string;
  /** The field, variant or type in question; null where none is named. */
  readonly about: string | null;
}

/** Ours and the original's ways to say the same complaint. The first that fits wins. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/unknown variant `([^`]*)`/u, 'unknown variant'],
  [/missing field `([^`]*)`/u, 'missing field'],
  [/duplicate (?:field|key) `([^`]*)`/u, 'duplicate field'],
  [/expected adjacently tagged enum NType|expected a type like/u, 'not a type'],
  [/expected (?:a whole number|a number)|expected [ui]\d+/u, 'not a number'],
  [/expected string or map|expected variant identifier/u, 'not a variant'],
  [/expected (?:a string|string)/u, 'not a string'],
  [/expected (?:an array|a sequence)/u, 'not an array'],
  [
    /expected (?:an object|a map|a node|a graph object)|expected (?:internally tagged|struct)/u,
    'not an object',
  ],
  [
    /not JSON|EOF while parsing|expected (?:value|ident)|trailing|key must be|control character|invalid escape/u,
    'not JSON',
  ],
  [/invalid (?:type|value|length)/u, 'wrong'],
];

/** What a message complains of; its own text when it is none of the known. */
export function complaintOf(message: string): ParseComplaint {
  for (const [pattern, kind] of WORDS) {
    const found = pattern.exec(message);
    if (found) return { kind, about: variantIn(found[1] ?? null) };
  }
  return { kind: message, about: null };
}

/** The original takes an object in place of a word for the variant its key names. */
function variantIn(about: string | null): string | null {
  return /^\{"([^"]*)":/u.exec(about ?? '')?.[1] ?? about;
}

/** What a refused text shows, for {@link complaintOf} to compare. */
export function parseFacts(error: GraphError): Facts {
  if (error.code !== 'GRAPH_INVALID') throw error;
  const { issues } = (error as GraphError<'GRAPH_INVALID'>).details;
  const messages: Json = issues.map(({ message }) => message);
  return { parse_ok: false, parse_errors: messages };
}
