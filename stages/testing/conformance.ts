import { isDeepStrictEqual } from 'node:util';

import { CodedError } from '@caloron/noether/stage';
import { ID_PATTERN } from '@caloron/types';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { differences, rowsOf } from './vectors.ts';
import type { Difference, Row } from './vectors.ts';

/** What stands for a refused input, in outputs and in differs.json. */
export const REJECTS = { rejects: true } as const;

/** A class of rows whose golden answer we do not give, and what we give instead. */
export interface Rule {
  /** The sentence of the design we follow. */
  readonly why: string;
  /** Our answer to a row of the class, made of the golden one; any other row's answer as it is. */
  readonly ours: (golden: unknown, row: Row) => unknown;
}

/** How the rows of one golden file are put to our stages. */
export interface Port {
  /** The golden file, without its ending. */
  readonly file: string;
  /** Our stages, or the nodes of our graphs, that do the work of the original's stage. */
  readonly counterparts: readonly string[];
  /** Puts a row's input to them in our shape and gives what came out in the original's; throws when it is refused. */
  readonly run: (row: Row) => unknown;
  /** What of the golden output both have. */
  readonly shared?: (output: unknown, row: Row) => unknown;
  /** Applied one after the other. */
  readonly rules?: readonly Rule[];
}

/** A rule for rows that we answer like another, plainer row: what tells them apart makes no difference to us. */
export function likePlainer(why: string, run: Port['run'], plainer: (row: Row) => Row | null): Rule {
  return {
    why,
    ours: (golden, row) => {
      const other = plainer(row);
      return other === null ? golden : run(other);
    },
  };
}

/** A rule for rows that we refuse. */
export function refuses(why: string, when: (row: Row) => boolean): Rule {
  return { why, ours: (golden, row) => (when(row) ? REJECTS : golden) };
}

/** Whether a value is no id. */
export function isNoId(value: unknown): boolean {
  return typeof value !== 'string' || !ID_PATTERN.test(value);
}

/** The object a value is; an empty one for any other value. */
export function fieldsIn(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

/** The list a value is; an empty one for any other value. */
export function itemsIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function goldenOf({ shared = (output) => output }: Port, row: Row): unknown {
  return row.error === undefined ? shared(row.output, row) : REJECTS;
}

async function byRules(port: Port, row: Row): Promise<unknown> {
  let golden = goldenOf(port, row);
  for (const rule of port.rules ?? []) golden = await rule.ours(golden, row);
  return golden;
}

/** What comes out for a row. Only a refusal in so many words is one: any other error fails the test. */
async function actualOf(port: Port, row: Row): Promise<unknown> {
  try {
    return JSON.parse(JSON.stringify(await port.run(row))) as unknown;
  } catch (error) {
    if (error instanceof z.ZodError || error instanceof CodedError) return REJECTS;
    throw error;
  }
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

/** The laws of one golden file: every row gives its golden answer, that of a rule, or the one differs.json holds. */
export function conforms(port: Port): void {
  const { file, counterparts } = port;
  const differs: Readonly<Record<string, Difference>> = differences(file);
  const rows = rowsOf(file);

  describe(`${file}, by ${counterparts.join(', ')}`, () => {
    it.each(rows)('$name', async (row) => {
      const differing = Object.hasOwn(differs, row.name) ? differs[row.name] : undefined;
      const expected = differing === undefined ? await byRules(port, row) : differing.expect;

      expect(await actualOf(port, row)).toEqual(plain(expected));
    });

    it('has a row for every recorded difference, and a difference in it', async () => {
      const unused: string[] = [];
      for (const [name, { expect: ours }] of Object.entries(differs)) {
        const row = rows.find((one) => one.name === name);
        if (row === undefined || isDeepStrictEqual(plain(await byRules(port, row)), ours)) unused.push(name);
      }

      expect(unused).toEqual([]);
    });
  });
}
