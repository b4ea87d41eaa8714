/**
 * Ends the process with the exit code that was set, once what was written is out: code of a stage may have begun something, as a
 * timer, that would keep it for ever.
 */
export async function endWritten(): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => void stream.write('', () => resolve()));
  process.exit();
}
