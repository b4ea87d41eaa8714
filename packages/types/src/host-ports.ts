import type { Timestamp } from './time.ts';

/** One HTTP exchange to make. */
export interface HttpRequest {
  /** In upper case; GET and HEAD carry no body. */
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  /** http or https, without user and password. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** From the first byte sent to the last one read, redirects included, in milliseconds. */
  readonly timeout_ms: number;
  /** Largest body read, in bytes after decompression. */
  readonly max_bytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** What came back, whatever its status. */
export interface HttpAnswer {
  /** 200 to 599. */
  readonly status: number;
  /** Names in lower case; a header sent more than once is joined by `, `, of `set-cookie` the last one is kept. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `http`: requests to the hosts the run's policy names, or to any when it names none. */
export interface Http {
  /** Throws HTTP_URL_INVALID, HTTP_HOST_REFUSED, HTTP_REQUEST_INVALID, HTTP_TIMEOUT, HTTP_UNREACHABLE, HTTP_REDIRECT_REFUSED, HTTP_BODY_TOO_LARGE, or the signal's reason. */
  send(request: HttpRequest): Promise<HttpAnswer>;
}

/** One entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Of a file, in bytes; 0 for everything else. */
  readonly size_bytes: number;
}

/** `fs.read`: files of the project and of the folders the installation allows. Paths count from the project. */
export interface FileRead {
  /** UTF-8 text. Throws FILE_REFUSED, FILE_MISSING, FILE_NOT_TEXT, FILE_TOO_LARGE, FILE_UNREADABLE. */
  read(path: string): Promise<{ readonly content: string; readonly size_bytes: number }>;
  /** Throws FILE_REFUSED. */
  exists(path: string): Promise<boolean>;
  /** In byte order of names. Throws FILE_REFUSED, FILE_MISSING, FILE_UNREADABLE. */
  list(path: string): Promise<readonly FolderEntry[]>;
}

/** `fs.write`. */
export interface FileWrite {
  /** Replaces the file as a whole: a reader sees the old text or the new one. Throws FILE_REFUSED, FILE_MISSING, FILE_UNWRITABLE. */
  write(path: string, content: string): Promise<{ readonly bytes_written: number }>;
}

/** `environment`: variables the installation allows graphs to read. */
export interface Variables {
  /** Null when it is not set. Throws ENV_NOT_ALLOWED. */
  get(name: string): string | null;
}

/** A program to start. It sees PATH, HOME and the like, the allowed variables, and `env`. */
export interface ProcessOrder {
  /** A name on the PATH or a path; no shell reads it. */
  readonly cmd: string;
  readonly args: readonly string[];
  /** Counts from the project; null is the project. */
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
}

/** How a program that was waited for ended. */
export interface CommandEnd {
  /** Null when a signal ended it. */
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether a stream was longer than what is kept of it. */
  readonly truncated: boolean;
}

/** A process that was started and goes on. */
export interface StartedProcess {
  readonly pid: number;
  /** Seconds since 1970. */
  readonly started_at: number;
  /** The file that gets its stdout and stderr. */
  readonly output_path: string;
}

/** Names a process this installation started; `started_at`, where it is known, has to be the one it was started with. */
export interface ProcessName {
  readonly pid: number;
  readonly started_at: number | null;
}

/** `process`. A process it did not start, or whose pid belongs to another one by now, is never touched. */
export interface ProcessHost {
  /** Runs to the end; the whole process group is killed at the timeout or the signal. Throws PROCESS_START_FAILED, PROCESS_FOLDER_REFUSED, PROCESS_TIMEOUT, or the signal's reason. */
  run(
    order: ProcessOrder & {
      readonly stdin: string | null;
      readonly timeout_ms: number;
      /** Kept of each stream, in bytes. */
      readonly max_bytes: number;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<CommandEnd>;
  /** Starts it in a group of its own; it outlives the run. Throws PROCESS_START_FAILED, PROCESS_FOLDER_REFUSED. */
  spawn(order: ProcessOrder): Promise<StartedProcess>;
  /** `exited` is false when it still runs after `timeout_ms`; the exit code is known to the process that started it. Throws PROCESS_UNKNOWN, or the signal's reason. */
  wait(
    process: ProcessName,
    timeout_ms: number,
    signal?: AbortSignal,
  ): Promise<{ readonly exited: boolean; readonly exit_code: number | null }>;
  /** False when it is gone. `name` is a signal's name with or without SIG. Throws PROCESS_UNKNOWN, PROCESS_SIGNAL_UNKNOWN. */
  signal(process: ProcessName, name: string): Promise<boolean>;
  /** SIGKILL to it and its group; false when it is gone. Throws PROCESS_UNKNOWN. */
  kill(process: ProcessName): Promise<boolean>;
}

/** `timer`. */
export interface Timer {
  /** Rejects with the signal's reason when that comes first. */
  sleep(ms: number, signal?: AbortSignal): Promise<Timestamp>;
}

/** `stdio`: the standard streams of the process that runs the graph. */
export interface Stdio {
  /** Everything until the end. Throws STDIO_UNAVAILABLE at a terminal. */
  read(signal?: AbortSignal): Promise<string>;
  write(text: string): Promise<void>;
}

/** A stage as graphs are told of it. */
export interface StageSummary {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Types as they are displayed. */
  readonly input: string;
  readonly output: string;
  /** Words for its effects, as policies use them. */
  readonly effects: readonly string[];
  /** Draft, Active, Deprecated or Tombstone. */
  readonly lifecycle: string;
  readonly examples_count: number;
}

/** `catalog`: the stages graphs may name: the program's, and what the stage store holds beside them. */
export interface StageCatalog {
  /** By id, signature id, prefix or name. Throws GRAPH_STAGE_UNKNOWN, GRAPH_STAGE_AMBIGUOUS. */
  describe(reference: string): Promise<StageSummary>;
  /** Active stages a question is about, best first; `score` from above 0 to 1. */
  search(question: string, limit: number): Promise<readonly (StageSummary & { readonly score: number })[]>;
}

/** `trace.read`: traces of this installation's runs, without what is secret. */
export interface TraceRead {
  /** A run and its steps, by run id or the latest of a composition id; null when there is none. Throws RUN_AMBIGUOUS. */
  read(reference: string): Promise<unknown>;
}
