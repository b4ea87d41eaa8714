import { z } from 'zod';

import type { CatalogEntry, Json } from '../ports.ts';
import type { StageRecord } from '../stage-record.ts';
import { type Catalog, catalogOf } from '../stage/catalog.ts';
import type { Stage } from '../stage/define-stage.ts';
import type { EffectJson } from '../stage/identity.ts';
import { ANY, type NType } from '../types/ntype.ts';
import { brokenRefinement, isObject, jsonKind } from '../types/value.ts';

/** What an abstract stage of a case does when it is called. */
export interface Behaviour {
  readonly do: string;
  readonly value?: Json;
  readonly key?: string;
  readonly n?: number;
  readonly message?: string;
}

/** An abstract stage of a case; what is absent has the default the file's head names. */
export interface StageCase {
  readonly behaviour: Behaviour;
  readonly input?: NType;
  readonly output?: NType;
  readonly effects?: readonly EffectJson[];
  readonly capabilities?: readonly string[];
  readonly id?: string;
  readonly name?: string;
  readonly signature_id?: string;
  readonly lifecycle?: StageRecord['lifecycle'];
}

/** One recorded case of the original. */
export interface OperatorCase {
  readonly id: string;
  readonly title: string;
  readonly kind: string;
  readonly stages?: { readonly [key: string]: StageCase };
  readonly root?: Json;
  readonly graph_text?: string;
  readonly input?: Json;
  readonly pipeline?: readonly string[];
  readonly budget_cents?: number;
  readonly allow_effects?: readonly string[];
  readonly allow_capabilities?: readonly string[];
  readonly expect: Facts;
  readonly observed_check?: Json;
}

/** What a case shows, by the field of its `expect`. */
export type Facts = { readonly [field: string]: Json };

/** A stage crashed the thread it ran on. */
export class Panic extends Error {
  override readonly name = 'Panic';
}

/** The calls of a case's stages, in order. */
export type Received = [stage: string, input: Json][];

/** Whether a case asks for a pass, e.g. `memoize`. */
export function asksFor({ pipeline = [] }: OperatorCase, pass: string): boolean {
  return pipeline.includes(pass);
}

/** An original's capability as our words are: `FsRead` and `fs-read` are `fsread`. */
export function capabilityWord(capability: string): string {
  return capability.replaceAll('-', '').toLowerCase();
}

/** A stage's function; notes each call. */
function behave(id: string, { behaviour }: StageCase, received: Received): (input: Json) => Json {
  let count = 0;
  const { value = null, key = '', n = 0, message = 'boom' } = behaviour;
  const acts: Readonly<Record<string, (input: Json) => Json>> = {
    identity: (input) => input,
    const: () => value,
    wrap: (input) => ({ [key]: input }),
    get: (input) => {
      if (isObject(input) && Object.hasOwn(input, key)) return input[key] ?? null;
      throw new Error(`no field ${key}`);
    },
    add: (input) => {
      if (typeof input === 'number' && Number.isInteger(input)) return input + n;
      throw new Error('not an integer');
    },
    positive: (input) => {
      if (typeof input === 'number') return input > 0;
      throw new Error('not a number');
    },
    kind: (input) => jsonKind(input),
    keys: (input) => (isObject(input) ? Object.keys(input).sort() : null),
    count: () => count,
    fail_times: (input) => {
      if (count <= n) throw new Error(`attempt ${count} failed`);
      return input;
    },
    fail: () => {
      throw new Error(message);
    },
    panic: () => {
      throw new Panic(message);
    },
  };
  const act = acts[behaviour.do];
  if (!act) throw new Error(`no behaviour ${behaviour.do}`);
  return (input) => {
    count += 1;
    received.push([id, input]);
    return act(input);
  };
}

/** Refuses inputs and outputs that break a refinement at the top of their type, in the original's words. */
function validated({ input, output }: StageCase, run: (input: Json) => Json): (input: Json) => Json {
  const hold = (value: Json, type: NType, side: string): Json => {
    const broken = brokenRefinement(value, topRefinements(type));
    if (broken !== null) throw new Error(`${side} refinement violation ${broken}`);
    return value;
  };
  return (value) => hold(run(hold(value, input ?? ANY, 'input')), output ?? ANY, 'output');
}

/** The refinements around a type, without the type. */
function topRefinements(type: NType): NType {
  if (type.kind !== 'Refined') return ANY;
  return { kind: 'Refined', value: { ...type.value, base: topRefinements(type.value.base) } };
}

/**
 * The catalog of a case. The original's runner knows no types: with `original` stages take anything, and refinements
 * hold only where the case asks for `validate`.
 */
export function catalogFor(test: OperatorCase, received: Received, original: boolean): Catalog {
  const entries = Object.entries(test.stages ?? {}).map(([key, spec]): CatalogEntry => {
    const record = recordFor(key, spec);
    const run = behave(record.id, spec, received);
    const checked = original && asksFor(test, 'validate') ? validated(spec, run) : run;
    const stage: Stage = {
      name: record.name,
      description: record.description,
      effects: record.signature.effects.effects as unknown as Stage['effects'],
      capabilities: original ? [] : record.capabilities.map(capabilityWord),
      input: z.unknown(),
      output: z.unknown(),
      examples: [],
      tags: [],
      cost: {},
      run: (input) => checked(input as Json),
    };
    return { stage, record };
  });
  const catalog = catalogOf(entries);
  if (!original) return catalog;
  const untyped = catalog.entries.map((entry) => ({ ...entry, input: ANY, output: ANY }));
  return { ...catalog, entries: untyped };
}

function recordFor(key: string, spec: StageCase): StageRecord {
  return {
    id: spec.id ?? key,
    signature_id: spec.signature_id ?? '',
    signature: {
      input: spec.input ?? ANY,
      output: spec.output ?? ANY,
      effects: { effects: spec.effects ?? [{ effect: 'Pure' }] },
      implementation_hash: '',
    },
    name: spec.name ?? key,
    capabilities: spec.capabilities ?? [],
    cost: {},
    description: `stage ${key}`,
    examples: [],
    lifecycle: spec.lifecycle ?? 'Active',
    ed25519_signature: null,
    signer_public_key: null,
  };
}
