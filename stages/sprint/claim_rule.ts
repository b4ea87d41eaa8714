import { addMs, type ForgeComment, type Timestamp } from '@caloron/types';

/** Minutes a published claim stands after it was written or renewed last, by the forge's clock. */
export const CLAIM_MINUTES = 30;

/** Longest term that is believed of a claim, in minutes. */
const LONGEST_MINUTES = 24 * 60;

/** The last line of a claim's comment: whose it is, its generation, its term in minutes (0 gives it back), and how often it was renewed. */
const LINE = /(?:^|\n)<!-- caloron-claim:v1:([A-Za-z0-9-]{1,64}):(\d{1,9}):(\d{1,5}):(\d{1,9}) -->\s*$/;

/** What a claim's line says. */
export interface ClaimLine {
  /** The id of the home's database. */
  readonly home: string;
  /** One more than any claim before it; a claim of a higher one displaces those below. */
  readonly generation: number;
  /** Its term; 0 for a claim that was given back. */
  readonly minutes: number;
  readonly renewals: number;
}

/** A published claim of an issue. */
export interface Claim extends ClaimLine {
  readonly comment_id: number;
  /** What its comment says beside it. */
  readonly text: string;
  /** Login under which it was written; null for a deleted account. */
  readonly by: string | null;
  /** When it was published, by the forge's clock. */
  readonly since: Timestamp;
  /** When it was renewed last. */
  readonly renewed_at: Timestamp;
  /** Until when it stands unless it is renewed. */
  readonly expires_at: Timestamp;
}

/** A text with a claim as its last line. */
export function withClaim(text: string, { home, generation, minutes, renewals }: ClaimLine): string {
  const facts = [home, generation, minutes, renewals].join(':');
  return `${text.replace(LINE, '')}\n<!-- caloron-claim:v1:${facts} -->`;
}

/** The claim a comment makes; undefined for any other comment, and for one that only quotes a claim. */
export function claimOf({ id, body, author, created_at, updated_at }: ForgeComment): Claim | undefined {
  const [, home, ...numbers] = LINE.exec(body) ?? [];
  const [generation = 0, minutes = 0, renewals = 0] = numbers.map(Number);
  if (home === undefined || generation < 1) return undefined;
  const term = Math.min(minutes, LONGEST_MINUTES);
  return {
    home,
    generation,
    minutes: term,
    renewals,
    comment_id: id,
    text: body.replace(LINE, ''),
    by: author,
    since: created_at,
    renewed_at: updated_at,
    expires_at: addMs(updated_at, term * 60_000),
  };
}

/**
 * The claim that counts, expired or not: of those that were not given back the one of the highest generation, among equals the one whose
 * comment has the lowest id, which the forge gave. Undefined without one.
 */
export function standingClaim(claims: readonly Claim[]): Claim | undefined {
  return claims
    .filter(({ minutes }) => minutes > 0)
    .toSorted((a, b) => b.generation - a.generation || a.comment_id - b.comment_id)[0];
}

/** The generation a new claim is published with. */
export function nextGeneration(claims: readonly Claim[]): number {
  return Math.max(0, ...claims.map(({ generation }) => generation)) + 1;
}

/**
 * The claim one that was just published has to give way to; undefined when it has won. Beside the one that counts this is one that had not
 * expired when the new one was published, by the forge's clock: whoever took it for expired has a clock that is ahead. One that was renewed
 * only after that gives way itself, when it looks.
 */
export function ahead(mine: Claim, claims: readonly Claim[]): Claim | undefined {
  const standing = standingClaim(claims);
  if (standing !== undefined && standing.comment_id !== mine.comment_id) return standing;
  return claims.find(
    ({ minutes, home, generation, renewed_at, expires_at }) =>
      minutes > 0 &&
      home !== mine.home &&
      generation < mine.generation &&
      renewed_at <= mine.since &&
      expires_at > mine.since,
  );
}
