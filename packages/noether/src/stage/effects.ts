/** Noether's effects as a stage declares them; `Llm`, `Cost`, `FsRead`, `FsWrite` carry a payload. */
export type Effect =
  | 'Fallible'
  | 'Network'
  | 'NonDeterministic'
  | 'Process'
  | 'Pure'
  | 'Unknown'
  | { readonly effect: 'Cost'; readonly cents: number }
  | { readonly effect: 'FsRead'; readonly path: string }
  | { readonly effect: 'FsWrite'; readonly path: string }
  | { readonly effect: 'Llm'; readonly model: string };

/** Any effect but `Pure`. */
export type Impure = Exclude<Effect, 'Pure'>;

/** `["Pure"]` alone, or effects without `Pure`: a stage of ours is never both. */
export type EffectList = readonly ['Pure'] | readonly [Impure, ...Impure[]];

type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void
  ? I
  : never;

/** The context of a stage: exactly the clients of the capabilities it names; `{}` without any. */
export type StageContext<M, N extends keyof M> = [N] extends [never]
  ? // oxlint-disable-next-line typescript/no-generated-empty-object-type -- a context without clients has no members
    Readonly<Record<never, never>>
  : Readonly<UnionToIntersection<M[N]>>;
