import { spawn } from 'node:child_process';

/**
 * Shows a text in a pager and resolves when the pager ends; false if it could not be started. A value with
 * spaces is run with `sh -c`. Ctrl-C goes to the pager, which must release the terminal first.
 */
export async function page(text: string, pager: string): Promise<boolean> {
  const [file, argv] = /\s/.test(pager) ? ['/bin/sh', ['-c', pager]] : [pager, []];
  const leave = (): void => undefined;
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, leave);
  try {
    return await new Promise<boolean>((resolve) => {
      const child = spawn(file, argv, { stdio: ['pipe', 'inherit', 'inherit'], env: pagerEnvironment() });
      child.once('error', () => resolve(false));
      // Exit codes of sh: the program was not found, or cannot be executed.
      child.once('close', (code) => resolve(code !== 126 && code !== 127));
      // The pager ended before it read everything.
      child.stdin.on('error', leave);
      child.stdin.end(text);
    });
  } catch {
    return false;
  } finally {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, leave);
  }
}

/** The environment for a pager, as git sets it. For root, less starts no editor and no shell, as with sudo. */
export function pagerEnvironment(
  env: NodeJS.ProcessEnv = process.env,
  root = process.getuid?.() === 0,
): NodeJS.ProcessEnv {
  return { LESS: 'FRX', ...(root ? { LESSSECURE: '1' } : {}), ...env };
}
