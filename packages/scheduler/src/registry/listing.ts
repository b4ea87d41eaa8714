import { createHash } from 'node:crypto';

import { z } from 'zod';

import { RegistryError } from './errors.ts';
import type { ServedStages } from './served-store.ts';
import { LifecycleFilter, PAGE_LIMIT, PREFIX_DIGITS } from './wire.ts';

/** An answer: its strong ETag, and the text it is of, which nobody makes who has it already. */
export interface Page {
  readonly etag: string;
  readonly text: () => string;
}

function whole(min: number, max: number): z.ZodType<number, string> {
  const expected = `expected a whole number from ${min}${max === Number.MAX_SAFE_INTEGER ? '' : ` to ${max}`}`;
  return z
    .string(expected)
    .regex(/^\d{1,16}$/u, expected)
    .transform(Number)
    .pipe(z.number().min(min, expected).max(max, expected));
}

/** The question of `GET /stages`. */
const Query = z.strictObject({
  lifecycle: LifecycleFilter.default('active'),
  limit: whole(1, PAGE_LIMIT).default(PAGE_LIMIT),
  offset: whole(0, Number.MAX_SAFE_INTEGER).default(0),
});

const Reference = z.string().regex(new RegExp(`^[0-9a-f]{${PREFIX_DIGITS},64}$`, 'u'));

/** One page of what a store holds. Throws REGISTRY_QUERY_INVALID with every issue. */
export function stagesPage({ stages, revision }: ServedStages, question: unknown): Page {
  const parsed = Query.safeParse(question);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) =>
      `${path.map(String).join('.')} ${message}`.trim(),
    );
    throw new RegistryError('REGISTRY_QUERY_INVALID', { issues });
  }
  const { lifecycle, limit, offset } = parsed.data;
  return {
    etag: etagOf([revision, lifecycle, limit, offset]),
    text() {
      const all = lifecycle === 'all' ? stages : stages.filter((stage) => stage.lifecycle === lifecycle);
      const page = all.slice(offset, offset + limit);
      const facts = { count: page.length, total: all.length, limit, offset };
      const [, rest = ''] = /^\{(.*)\}$/u.exec(JSON.stringify(facts)) ?? [];
      return `{"ok":true,"data":{"stages":[${page.map(({ text }) => text).join(',')}],${rest}}}`;
    },
  };
}

/** One stage by its id or a beginning of it. Throws REGISTRY_QUERY_INVALID, REGISTRY_STAGE_UNKNOWN, REGISTRY_STAGE_AMBIGUOUS. */
export function stagePage({ stages }: ServedStages, id: string): Page {
  const parsed = Reference.safeParse(id.toLowerCase());
  if (!parsed.success)
    throw new RegistryError('REGISTRY_QUERY_INVALID', {
      issues: [`id expected 64 hex digits, or at least the first ${PREFIX_DIGITS} of them`],
    });
  const reference = parsed.data;
  const found = stages.filter(({ record }) => record.id.startsWith(reference));
  const [stage] = found;
  if (stage === undefined) throw new RegistryError('REGISTRY_STAGE_UNKNOWN', { reference });
  if (found.length > 1) {
    const matches = found.map(({ record }) => record.id);
    throw new RegistryError('REGISTRY_STAGE_AMBIGUOUS', { reference, matches });
  }
  return { etag: etagOf([stage.text]), text: () => `{"ok":true,"data":${stage.text}}` };
}

/** Whether a reader's `If-None-Match` names the ETag. */
export function isKnown(etag: string, if_none_match: string | undefined): boolean {
  if (if_none_match === undefined) return false;
  const tags = if_none_match.split(',').map((tag) => tag.trim().replace(/^W\//u, ''));
  return tags.includes('*') || tags.includes(etag);
}

/** The form of the answers: another one makes other ETags. */
const FORM = 1;

function etagOf(facts: readonly (string | number)[]): string {
  return `"${createHash('sha256')
    .update(JSON.stringify([FORM, ...facts]))
    .digest('hex')}"`;
}
