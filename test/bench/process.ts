import { execa } from 'execa';

/** A process that was started for a measurement. */
export interface Started {
  readonly url: string;
  readonly pid: number;
  readonly stop: () => Promise<void>;
}

/** Starts one of the product's processes, or a script that prints a ready line like theirs, and waits for that line. */
export async function start(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = execa(process.execPath, [file, ...args], { env, stderr: 'ignore', reject: false });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    void child.then(() => reject(new Error(`${file} ended before it was ready`)));
  });
  const { url, pid } = JSON.parse(line.split('\n')[0] ?? '') as { url: string; pid: number };
  return {
    url,
    pid,
    stop: async () => {
      child.kill('SIGTERM');
      await child;
    },
  };
}
