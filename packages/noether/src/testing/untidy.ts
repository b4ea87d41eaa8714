import type { Json } from '../ports.ts';
import type { Draw } from './draw.ts';

const SPACES = ['', ' ', '\n', '\t  ', '\r\n'] as const;

/** The same JSON as a text of another hand: keys in any order, spaces anywhere, letters escaped, numbers written otherwise. */
export function untidy(draw: Draw, value: Json): string {
  const space = (): string => draw.pick(SPACES);
  const around = (text: string): string => `${space()}${text}${space()}`;
  if (typeof value === 'string') return around(quoted(draw, value));
  if (typeof value === 'number') return around(numeral(draw, value));
  if (typeof value !== 'object' || value === null) return around(JSON.stringify(value));
  if (Array.isArray(value)) return around(`[${value.map((item) => untidy(draw, item as Json)).join(',')}]`);
  const members = shuffled(draw, Object.entries(value)).map(
    ([key, item]) => `${around(quoted(draw, key))}:${untidy(draw, item as Json)}`,
  );
  return around(`{${members.join(',')}}`);
}

function shuffled<T>(draw: Draw, items: readonly T[]): readonly T[] {
  const left = [...items];
  return items.flatMap(() => left.splice(draw.nat(left.length - 1), 1));
}

function quoted(draw: Draw, text: string): string {
  if (!draw.chance(3)) return JSON.stringify(text);
  const units = Array.from({ length: text.length }, (_, i) =>
    text.charCodeAt(i).toString(16).padStart(4, '0'),
  );
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

function numeral(draw: Draw, value: number): string {
  const plain = JSON.stringify(value);
  return Number.isInteger(value) && draw.chance(3)
    ? draw.pick([`${plain}.0`, `${plain}e0`, `${plain}E+0`])
    : plain;
}
