import { z } from 'zod';
import type { Sql } from '../database.ts';

/** How a review stands. */
export const ReviewState = z.enum(['APPROVED', 'CHANGES_REQUESTED', 'COMMENTED', 'DISMISSED']);
export type ReviewState = z.infer<typeof ReviewState>;

/** A submitted review. */
export const Review = z.strictObject({
  id: z.number(),
  issue_id: z.number(),
  author_id: z.number(),
  author: z.string(),
  state: ReviewState,
  body: z.string(),
  commit_id: z.string(),
  submitted_ms: z.number(),
});
export type Review = z.infer<typeof Review>;

const SELECT = `SELECT r.id, r.issue_id, r.author_id, u.login AS author, r.state, r.body, r.commit_id, r.submitted_ms
  FROM reviews r JOIN users u ON u.id = r.author_id`;

/** A review of a pull request. */
export function reviewById(sql: Sql, issue_id: number, id: number): Review | undefined {
  return sql.one(Review, `${SELECT} WHERE r.issue_id = ? AND r.id = ?`, issue_id, id);
}

const Count = z.strictObject({ n: z.number() });

/** One page of a pull request's reviews, oldest first, and how many there are. */
export function listReviews(
  sql: Sql,
  issue_id: number,
  page: { readonly limit: number; readonly offset: number },
): { readonly items: Review[]; readonly total: number } {
  const total = sql.one(Count, 'SELECT count(*) AS n FROM reviews WHERE issue_id = ?', issue_id)?.n ?? 0;
  const text = `${SELECT} WHERE r.issue_id = ? ORDER BY r.id LIMIT ? OFFSET ?`;
  return { items: sql.all(Review, text, issue_id, page.limit, page.offset), total };
}

/** Adds a review. Runs inside a transaction. */
export function insertReview(sql: Sql, review: Omit<Review, 'id' | 'author'>): number {
  return sql.run(
    'INSERT INTO reviews (issue_id, author_id, state, body, commit_id, submitted_ms) VALUES (?, ?, ?, ?, ?, ?)',
    review.issue_id,
    review.author_id,
    review.state,
    review.body,
    review.commit_id,
    review.submitted_ms,
  ).id;
}

/** Changes how a review stands. Runs inside a transaction. */
export function updateReviewState(sql: Sql, id: number, state: ReviewState): void {
  sql.run('UPDATE reviews SET state = ? WHERE id = ?', state, id);
}

/** Changes a review's text. Runs inside a transaction. */
export function updateReviewBody(sql: Sql, id: number, body: string): void {
  sql.run('UPDATE reviews SET body = ? WHERE id = ?', body, id);
}
