/** What an effectful stage's examples run in: real files, servers and processes, made for one example. */
export interface World {
  /** The clients of the stage's capabilities. */
  readonly context: object;
  /** Text of an example → what stands there in this world, e.g. a server's address; the longest first. */
  readonly places: Readonly<Record<string, string>>;
  readonly close: () => Promise<void> | void;
}

/** One world for each effectful stage. */
export const worlds: Readonly<Record<string, () => Promise<World> | World>> = {};
