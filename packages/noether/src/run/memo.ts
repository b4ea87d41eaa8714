import type { Json, OutputCache } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import type { Stage } from '../stage/define-stage.ts';
import { markedPaths, type Redactor } from './redact.ts';
import { sameValue, settle } from './settle.ts';
import { holdsNow, valueHash, valueKey, valueSize } from './value-hash.ts';

/** Largest canonical input, in characters, whose output is cached beyond the run: a larger one is cheaper made than looked up. */
const MAX_CACHED_INPUT = 16_384;
/** Largest canonical output, in characters, that is kept beyond the run. */
const MAX_CACHED_OUTPUT = 1_048_576;

/** What came of asking: an output remembered, or one just made. */
export interface Remembered {
  readonly output: Json;
  readonly cached: boolean;
}

/** Calls of one stage that are compared one by one before their inputs are written as text. */
const MAX_COMPARED = 32;

/** The calls made of one stage in a run. */
class Calls {
  readonly #few: { readonly input: Json; readonly output: Promise<Json> }[] = [];
  #many: Map<string, Promise<Json>> | null = null;

  /** The output of the call on an equal input, if there was one. */
  find(input: Json): Promise<Json> | undefined {
    if (this.#many) return this.#many.get(valueKey(input));
    return this.#few.findLast((call) => sameValue(call.input, input))?.output;
  }

  add(input: Json, output: Promise<Json>): void {
    if (this.#many) this.#many.set(valueKey(input), output);
    else if (this.#few.push({ input, output }) > MAX_COMPARED)
      this.#many = new Map(this.#few.map((call) => [valueKey(call.input), call.output]));
  }
}

/**
 * Outputs of pure stages: shared by the nodes of a run, calls in flight included, and kept beyond it where a cache is
 * given. A call that failed says nothing about the next.
 */
export class Memo {
  readonly #calls = new Map<CatalogStage, Calls>();
  readonly #cache: DiscreetCache | null;
  readonly #repeated: Pick<ReadonlySet<CatalogStage>, 'has'>;

  /** `repeated`: the stages that one run may call more than once. */
  constructor(cache: DiscreetCache | null, repeated: Pick<ReadonlySet<CatalogStage>, 'has'>) {
    this.#cache = cache;
    this.#repeated = repeated;
  }

  /** Whether remembering can spare a call of this stage. */
  pays(entry: CatalogStage): boolean {
    return this.#cache !== null || this.#repeated.has(entry);
  }

  /** The output of a stage for what its schema made of the input: remembered, or made by `call`. */
  async output(entry: CatalogStage, taken: Json, call: () => Promise<Json>): Promise<Remembered> {
    const shared = this.#calls.get(entry)?.find(taken);
    const output = shared && (await quietly(() => shared));
    // One that failed, or was stopped with its branch, says nothing about this call.
    if (output !== undefined) return { output, cached: true };
    const made = this.#cache === null ? null : kept(this.#cache, entry, taken, call);
    const making = made ? made.then((remembered) => remembered.output) : call();
    // Who waits for it meets its failure there.
    making.catch(() => undefined);
    if (this.#repeated.has(entry)) this.#remember(entry, taken, making);
    return made ?? { output: await making, cached: false };
  }

  #remember(entry: CatalogStage, taken: Json, output: Promise<Json>): void {
    let calls = this.#calls.get(entry);
    if (!calls) this.#calls.set(entry, (calls = new Calls()));
    calls.add(taken, output);
  }
}

/** A cache that tells what it must not be asked. */
export interface DiscreetCache extends OutputCache {
  /** Whether a value holds a secret: what is made of it outlives no run. */
  readonly refuses: (value: Json) => boolean;
}

/** A cache that keeps nothing with a secret in it: what it holds is as plain as it came. */
export function discreetCache(cache: OutputCache, { holds }: Redactor): DiscreetCache {
  return {
    refuses: holds,
    get: (stage_id, input_hash) => cache.get(stage_id, input_hash),
    put: (stage_id, input_hash, output) =>
      valueSize(output) > MAX_CACHED_OUTPUT || holds(output)
        ? undefined
        : cache.put(stage_id, input_hash, output),
  };
}

async function kept(
  cache: DiscreetCache,
  { record, stage }: CatalogStage,
  taken: Json,
  call: () => Promise<Json>,
): Promise<Remembered> {
  // The time of the tick is part of its stages' input: such an output is never asked for again.
  if (valueSize(taken) > MAX_CACHED_INPUT || holdsNow(taken) || isSecret(stage) || cache.refuses(taken))
    return { output: await call(), cached: false };
  const hash = valueHash(taken);
  const remembered = settle(await quietly(() => cache.get(record.id, hash)));
  if (remembered !== undefined) return { output: remembered, cached: true };
  const output = await call();
  await quietly(() => cache.put(record.id, hash, output));
  return { output, cached: false };
}

/** What is made of a field marked as secret outlives no run. */
function isSecret({ input, output }: Stage): boolean {
  return markedPaths(input).length > 0 || markedPaths(output).length > 0;
}

/** A cache that cannot answer is no cache. */
async function quietly<T>(use: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await use();
  } catch {
    return undefined;
  }
}
