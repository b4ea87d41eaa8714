import type { ForgeComment, ForgePull, ForgeReview } from '@caloron/types';
import { z } from 'zod';

import { fieldsIn } from '../conformance.ts';
import { forgeError, memoryForge, pullOf, sha } from '../memory_forge.ts';
import type { MemoryForge } from '../memory_forge.ts';
import { isInstant, timestamp } from '../vectors.ts';
import type { Row } from '../vectors.ts';

/** An object of a row. */
export type Fields = Readonly<Record<string, unknown>>;

/** A canned answer: its list, none where the forge knows nothing, the forge's refusal otherwise. */
export function answerOf(row: Row, path: string): readonly Fields[] {
  const answer = row.api?.[path] ?? [];
  if (!Array.isArray(answer)) {
    throw forgeError(fieldsIn(answer)['__status'] === 404 ? 'FORGE_NOT_FOUND' : 'FORGE_UNAVAILABLE');
  }
  return answer.map(fieldsIn);
}

/** An instant as the client takes it from a host; anything else it refuses. */
function instant(value: unknown): string {
  if (!isInstant(value)) throw forgeError('FORGE_ANSWER_UNEXPECTED');
  return String(timestamp(value));
}

/** The login of an account; null for none. */
export function loginOf(user: unknown): string | null {
  const { login } = fieldsIn(user);
  return typeof login === 'string' && login !== '' ? login : null;
}

/** A text; empty for anything else. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** When a pull request changed last: a host that does not say so has changed it with its newest review or its merge. */
export function changedAt(row: Row, { number, created_at, updated_at, merged_at }: Fields): string {
  if (updated_at !== undefined) return instant(updated_at);
  const reviews = answerOf(row, `/pulls/${String(number)}/reviews`).map(({ submitted_at }) => submitted_at);
  const times = [created_at, merged_at, ...reviews].filter(isInstant).map((at) => String(timestamp(at)));
  return times.toSorted().at(-1) ?? instant(created_at);
}

function pullIn(row: Row, raw: Fields): ForgePull {
  const { number, body, user, created_at, merged_at = null, merge_commit_sha } = raw;
  const merged = merged_at === null ? null : instant(merged_at);
  return pullOf(z.number().int().parse(number), {
    body: text(body),
    author: loginOf(user),
    state: raw['state'] === 'closed' ? 'closed' : 'open',
    merged_at: merged,
    merge_sha: typeof merge_commit_sha === 'string' ? merge_commit_sha : merged === null ? null : sha('c'),
    created_at: instant(created_at),
    updated_at: changedAt(row, raw),
  });
}

function commentIn(raw: Fields, at: number): ForgeComment {
  const { issue_url, body, user, created_at, updated_at = created_at } = raw;
  const number = /\/(\d+)$/.exec(text(issue_url))?.[1];
  if (number === undefined) throw forgeError('FORGE_ANSWER_UNEXPECTED');
  return {
    id: at + 1,
    issue_number: Number(number),
    body: text(body),
    author: loginOf(user),
    created_at: instant(created_at),
    updated_at: instant(updated_at),
  };
}

/** The states of submitted reviews, in GitHub's words and ours. */
export const REVIEWS: Readonly<Record<string, ForgeReview['state']>> = {
  APPROVED: 'approved',
  CHANGES_REQUESTED: 'changes_requested',
  COMMENTED: 'commented',
  DISMISSED: 'dismissed',
};

/** A review that was submitted; one that is pending is none. */
function reviewIn(raw: Fields, at: number): readonly ForgeReview[] {
  const state = REVIEWS[text(raw['state']).toUpperCase()];
  if (state === undefined) return [];
  const submitted_at = instant(raw['submitted_at']);
  return [
    {
      id: `r${at}`,
      state,
      body: text(raw['body']),
      author: loginOf(raw['user']),
      commit_id: sha('a'),
      submitted_at,
    },
  ];
}

/** The canned answers as the client of a real host would give them. */
export function forgeOf(row: Row): MemoryForge {
  const forge = memoryForge();
  forge.comments.push(...answerOf(row, '/issues/comments').map(commentIn));
  forge.pulls.push(...answerOf(row, '/pulls').map((raw) => pullIn(row, raw)));
  for (const { number } of forge.pulls) {
    forge.reviews.set(number, answerOf(row, `/pulls/${String(number)}/reviews`).flatMap(reviewIn));
  }
  return forge;
}
