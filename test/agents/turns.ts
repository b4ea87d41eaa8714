/** What a refused request is answered with, in the words of each provider's own interface. */
export type Refusal = 'rate_limit' | 'quota' | 'auth' | 'billing' | 'overloaded';

/** One answer of the scripted model. */
export interface Turn {
  /** What it says. */
  readonly text?: string;
  /** A file it writes with the agent's own tool; the path is absolute. */
  readonly write?: { readonly path: string; readonly content: string };
  /** A command it runs with the agent's own tool. */
  readonly run?: string;
  /** A tool no agent has. */
  readonly unknown_tool?: string;
  /** Tokens it says it used. */
  readonly usage?: Usage;
  readonly refuse?: Refusal;
  /** The stream breaks off in the middle. */
  readonly cut?: boolean;
  /** Nothing is ever answered. */
  readonly hang?: boolean;
  /** Milliseconds before the answer. */
  readonly wait_ms?: number;
}

/** Tokens by kind; cached ones are not part of `input` here. */
export interface Usage {
  readonly input: number;
  readonly output: number;
  readonly cache_read: number;
  readonly cache_write: number;
}

/** What is counted for a turn that names no usage. */
export const NO_USAGE: Usage = { input: 0, output: 0, cache_read: 0, cache_write: 0 };

/** When limits of refused turns end: seconds from the request. */
export const RESET_IN_S = { rate_limit: 40, quota: 7200 } as const;

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** A model interface: which requests it takes and how it answers. */
export interface Protocol {
  readonly name: string;
  readonly path: RegExp;
  /** Whether a request asks for the next turn of the agent's work, and not for a title or a count. */
  readonly asks: (body: unknown, path: string) => boolean;
  /** The answer to any other request. */
  readonly aside: (body: unknown, path: string) => unknown;
  /** The events of a turn, each as it goes over the wire. */
  readonly events: (turn: Turn, body: unknown, path: string) => readonly string[];
  readonly refusal: (refusal: Refusal) => Answer;
}

/** A tool call in the words of an agent. */
export interface ToolCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** The names agents give their tools. */
export interface ToolNames {
  readonly write: (file: { readonly path: string; readonly content: string }) => ToolCall;
  readonly run: (command: string) => ToolCall;
}

/** The call a turn makes, if any. */
export function callOf(turn: Turn, tools: ToolNames): ToolCall | undefined {
  if (turn.write !== undefined) return tools.write(turn.write);
  if (turn.run !== undefined) return tools.run(turn.run);
  return turn.unknown_tool === undefined ? undefined : { name: turn.unknown_tool, input: {} };
}
