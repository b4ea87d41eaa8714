import { canonicalJson } from '../canonical.ts';
import type { StageRecord } from '../stage-record.ts';

/** From this share of common words on two descriptions say the same; the original's threshold. */
export const NEAR_DUPLICATE = 0.92;

/** A stage that resembles another. */
export interface SimilarStage {
  readonly record: StageRecord;
  /** Share of common words, 0 to 1. */
  readonly score: number;
}

function words(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** Cosine of the word counts of two texts, 0 to 1; texts without words resemble nothing. */
export function textSimilarity(a: string, b: string): number {
  const [x, y] = [words(a), words(b)];
  let common = 0;
  for (const [word, count] of x) common += count * (y.get(word) ?? 0);
  const norm = (counts: ReadonlyMap<string, number>): number =>
    Math.hypot(...[...counts.values()].map((count) => count));
  const size = norm(x) * norm(y);
  return size === 0 ? 0 : Math.min(1, common / size);
}

/** Stages that can be used and say almost the same as a new one, closest first; `same_types`: they also take and give the same. Another version of the same signature is no double: it takes the other's place. */
export function nearDuplicates(
  records: readonly StageRecord[],
  added: StageRecord,
): readonly (SimilarStage & { readonly same_types: boolean })[] {
  return records
    .filter(({ lifecycle }) => lifecycle === 'Active' || lifecycle === 'Draft')
    .filter(({ signature_id }) => signature_id !== added.signature_id)
    .map((record) => ({
      record,
      score: textSimilarity(record.description, added.description),
      same_types: typesOf(record) === typesOf(added),
    }))
    .filter(({ score }) => score >= NEAR_DUPLICATE)
    .toSorted((a, b) => b.score - a.score || (a.record.id < b.record.id ? -1 : 1))
    .slice(0, 3);
}

/** Stages a question is about, best first: words of the question found in name, description, tags, aliases and examples. */
export function searchRecords(records: readonly StageRecord[], question: string): readonly SimilarStage[] {
  const asked = [...words(question).keys()];
  return records
    .map((record) => ({ record, score: score(record, asked) }))
    .filter(({ score: found }) => found > 0)
    .toSorted((a, b) => b.score - a.score || (a.record.name < b.record.name ? -1 : 1));
}

/** What a word counts for, by where it is found. */
const WEIGHTS = [1, 0.8, 0.6, 0.3] as const;

/** What a word counts for that is only a part of another: `text` in `context`. */
const WITHIN_WORD = 0.25;

function score(record: StageRecord, asked: readonly string[]): number {
  if (asked.length === 0) return 0;
  const { name, description, tags = [], aliases = [], examples, signature } = record;
  const texts = [
    [name, ...aliases].join(' '),
    tags.join(' '),
    description,
    canonicalJson([examples.slice(0, 3), signature.input, signature.output]),
  ].map((text) => text.toLowerCase());
  const found = asked.map((word) =>
    Math.max(0, ...texts.map((text, i) => (WEIGHTS[i] ?? 0) * presence(text, word))),
  );
  return found.reduce((sum, value) => sum + value, 0) / asked.length;
}

/** 1 for a word of its own, less for a part of one. */
function presence(text: string, word: string): number {
  if (!text.includes(word)) return 0;
  return words(text).has(word) ? 1 : WITHIN_WORD;
}

function typesOf({ signature }: StageRecord): string {
  return canonicalJson([signature.input, signature.output]);
}
