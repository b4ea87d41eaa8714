import { z } from 'zod';

/** Entries of a page nobody asked another size for, and the most there are. Source: GitHub. */
const DEFAULT_SIZE = 30;
const MAX_SIZE = 100;

/** Which page of a list; what is no number is the default, as on GitHub. */
export const Page = z
  .object({ per_page: z.unknown().optional(), page: z.unknown().optional() })
  .transform(({ per_page, page }) => {
    const size = Math.min(MAX_SIZE, whole(per_page, DEFAULT_SIZE));
    const number = whole(page, 1);
    return { number, limit: size, offset: (number - 1) * size };
  });

/** A page: its number from 1, how many entries it holds at most, and how many come before it. */
export type PageRequest = z.infer<typeof Page>;

function whole(value: unknown, fallback: number): number {
  const number = typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : 0;
  return number >= 1 ? number : fallback;
}

/** The Link header of a page: prev, next, last and first where they are; undefined when there is one page only. */
export function linkHeader(url: string, page: PageRequest, total: number): string | undefined {
  const last = Math.max(1, Math.ceil(total / page.limit));
  if (last === 1 && page.number === 1) return undefined;
  const to = (number: number, rel: string): string => {
    const target = new URL(url);
    target.searchParams.set('page', String(number));
    return `<${target.href}>; rel="${rel}"`;
  };
  const links: string[] = [];
  if (page.number > 1) links.push(to(Math.min(page.number - 1, last), 'prev'));
  if (page.number < last) links.push(to(page.number + 1, 'next'), to(last, 'last'));
  if (page.number > 1) links.push(to(1, 'first'));
  return links.join(', ');
}
