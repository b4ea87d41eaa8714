import { z } from 'zod';

/** One line of an agent's output as an object; undefined for anything else. */
export function jsonLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const parsed = z.record(z.string(), z.unknown()).safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** The value at a path of names and positions; undefined where there is none. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current: unknown = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Object.entries(current).find(([key]) => key === String(name))?.[1];
  }
  return current;
}

/** A text at a path, else undefined. */
export function textAt(value: unknown, ...path: readonly (string | number)[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

/** The sum of the numbers at the names given, 0 for what is missing. */
export function sumAt(value: unknown, names: readonly string[]): number {
  return names.reduce((sum, name) => {
    const found = at(value, name);
    return typeof found === 'number' ? sum + found : sum;
  }, 0);
}

/** The texts of a list of content parts `{type: "text", text}`. */
export function contentText(content: unknown): string | undefined {
  if (!Array.isArray(content)) return undefined;
  const parts = content.flatMap((part: unknown) =>
    at(part, 'type') === 'text' ? [textAt(part, 'text') ?? ''] : [],
  );
  return parts.length === 0 ? undefined : parts.join('');
}

/** The names a program gives the four kinds of tokens. */
export type CountNames = Readonly<Record<'input' | 'output' | 'cache_read' | 'cache_write', string>>;

/** Tokens by kind; undefined where none of the names is there. */
export function countsAt(value: unknown, names: CountNames): Record<keyof CountNames, number> | undefined {
  const count = (name: string): number => {
    const found = at(value, name);
    return typeof found === 'number' && found >= 0 && found <= Number.MAX_SAFE_INTEGER
      ? Math.round(found)
      : 0;
  };
  if (Object.values(names).every((name) => at(value, name) === undefined)) return undefined;
  return {
    input: count(names.input),
    output: count(names.output),
    cache_read: count(names.cache_read),
    cache_write: count(names.cache_write),
  };
}

/** Names and values of an object; none of anything else. */
export function entriesAt(value: unknown): readonly (readonly [string, unknown])[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
}
