import { contentId } from '../canonical.ts';
import type { Json } from '../ports.ts';
import type { StageRecord } from '../stage-record.ts';
import { type Catalog, catalogOf } from '../stage/catalog.ts';
import type { Stage } from '../stage/define-stage.ts';
import { signatureId, stageId } from '../stage/identity.ts';
import { BOOL, type NType, record } from '../types/ntype.ts';
import type { Draw } from './draw.ts';
import { drawType, drawValue, drawWider, schemaOf } from './draw-type.ts';

/** A stage of a generated graph: what it answers depends on its input alone. */
export interface DrawnStage {
  readonly name: string;
  readonly input: NType;
  readonly output: NType;
  /** Answers it chooses from by its input; or what it does with any input: give it back, or give it back with a mark. */
  readonly answers: readonly Json[] | 'same' | 'marked';
  /** A pure one answers at once and is remembered; others answer when the run lets them. */
  readonly pure: boolean;
  /** Of so many inputs one makes it fail; 0 is none. */
  readonly fails: number;
}

/** What a run of generated stages can be told. */
export interface StageHooks {
  /** Awaited before a stage that is not pure answers. */
  readonly turn?: (stage: string) => Promise<void>;
  /** Told every call. */
  readonly called?: (stage: string) => void;
  /** Makes some calls fail that succeed when they are repeated. */
  readonly flaky?: boolean;
  /** Makes many more inputs fail, whichever stage gets them. */
  readonly unlucky?: boolean;
  /** Text the implementation hash is made of. */
  readonly implementation?: string;
}

/** The stages drawn so far; equal ones are one stage. */
export class DrawnStages {
  readonly #stages = new Map<string, DrawnStage>();
  readonly #draw: Draw;

  constructor(draw: Draw) {
    this.#draw = draw;
  }

  get all(): readonly DrawnStage[] {
    return [...this.#stages.values()];
  }

  /** A stage that takes values of a type; gives what it is asked to, else anything. */
  taking(input: NType, output?: NType): DrawnStage {
    const draw = this.#draw;
    if (output === undefined && draw.chance(5)) {
      const any = input.kind === 'Record' && draw.chance(2) ? MARKING : PASSING;
      return this.#add({ ...any, pure: draw.chance(2) });
    }
    const known =
      output === undefined && draw.chance(3) ? this.all.find((stage) => sameInput(stage, input)) : undefined;
    if (known) return known;
    const gives = output ?? drawType(draw);
    return this.#add({
      input: drawWider(draw, input),
      output: gives,
      answers: draw.some(1, 3, () => drawValue(draw, gives)),
      pure: draw.chance(2),
      fails: draw.chance(6) ? 2 + draw.nat(2) : 0,
    });
  }

  /** A stage that gives true or false. */
  deciding(input: NType): DrawnStage {
    return this.taking(input, BOOL);
  }

  #add(facts: Omit<DrawnStage, 'name'>): DrawnStage {
    const name = `s_${contentId(facts).slice(0, 8)}`;
    const stage = this.#stages.get(name) ?? { name, ...facts };
    this.#stages.set(name, stage);
    return stage;
  }
}

const T: NType = { kind: 'Var', value: 'T' };
const PASSING = { input: T, output: T, answers: 'same', fails: 0 } as const;
const MARKING = {
  input: { kind: 'RecordWith', value: { fields: {}, rest: 'R' } },
  output: { kind: 'RecordWith', value: { fields: { marked: BOOL }, rest: 'R' } },
  answers: 'marked',
  fails: 0,
} as const;

/** The type of what a stage gives for an input of a type. */
export function givenBy(stage: DrawnStage, input: NType): NType {
  if (stage.answers === 'same') return input;
  if (stage.answers !== 'marked') return stage.output;
  return input.kind === 'Record' ? record({ ...input.value, marked: BOOL }) : record({ marked: BOOL });
}

function sameInput(stage: DrawnStage, input: NType): boolean {
  return Array.isArray(stage.answers) && contentId(stage.input) === contentId(input);
}

/** The catalog of drawn stages. */
export function catalogOfDrawn(stages: readonly DrawnStage[], hooks: StageHooks = {}): Catalog {
  return catalogOf(stages.map((drawn) => ({ stage: stageOf(drawn, hooks), record: recordOf(drawn, hooks) })));
}

function stageOf(drawn: DrawnStage, { turn, called, flaky = false, unlucky = false }: StageHooks): Stage {
  const seen = new Set<number>();
  const answer = (input: unknown): Json => {
    called?.(drawn.name);
    const lot = Number.parseInt(contentId(input).slice(0, 8), 16);
    if (flaky && lot % 3 === 0 && !seen.has(lot)) {
      seen.add(lot);
      throw new Error(`${drawn.name} is not ready`);
    }
    if ((drawn.fails > 0 && lot % drawn.fails === 0) || (unlucky && lot % 2 === 0))
      throw new Error(`no luck with ${drawn.name}`);
    if (drawn.answers === 'same') return input as Json;
    if (drawn.answers === 'marked') return { ...(input as object), marked: true };
    return drawn.answers[lot % drawn.answers.length] ?? null;
  };
  return {
    name: drawn.name,
    description: drawn.name,
    effects: [drawn.pure ? 'Pure' : 'NonDeterministic'],
    capabilities: [],
    input: schemaOf(drawn.input),
    output: schemaOf(drawn.output),
    examples: [],
    tags: [],
    cost: {},
    run: drawn.pure
      ? answer
      : async (input: unknown) => {
          await turn?.(drawn.name);
          return answer(input);
        },
  };
}

function recordOf(drawn: DrawnStage, { implementation = '' }: StageHooks): StageRecord {
  const { name, input, output, pure } = drawn;
  const effects = [{ effect: pure ? 'Pure' : 'NonDeterministic' }];
  const facts = { name, input, output, effects };
  const implementation_hash = contentId([name, implementation]);
  return {
    id: stageId(facts, implementation_hash),
    signature_id: signatureId(facts),
    signature: { input, output, effects: { effects }, implementation_hash },
    name,
    capabilities: [],
    cost: {},
    description: name,
    examples: [],
    lifecycle: 'Active',
    ed25519_signature: null,
    signer_public_key: null,
  };
}
