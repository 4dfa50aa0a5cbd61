import { spawn } from 'node:child_process';

/**
 * Shows a text in a pager and resolves when that ends; false if it could not be started. A value
 * with blanks goes to `sh -c`. Ctrl-C is for the pager, which must give the terminal back first.
 */
export async function page(text: string, pager: string): Promise<boolean> {
  const [file, argv] = /\s/.test(pager) ? ['/bin/sh', ['-c', pager]] : [pager, []];
  const leave = (): void => undefined;
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.on(signal, leave);
  try {
    return await new Promise<boolean>((resolve) => {
      const child = spawn(file, argv, { stdio: ['pipe', 'inherit', 'inherit'], env: pagerEnvironment() });
      child.once('error', () => resolve(false));
      // Of sh: the program was not found, or is none.
      child.once('close', (code) => resolve(code !== 126 && code !== 127));
      // It ended before it read everything.
      child.stdin.on('error', leave);
      child.stdin.end(text);
    });
  } catch {
    return false;
  } finally {
    for (const signal of ['SIGINT', 'SIGQUIT'] as const) process.off(signal, leave);
  }
}

/** The environment as git sets it. For root, less starts no editor and no shell, as for sudo. */
export function pagerEnvironment(
  env: NodeJS.ProcessEnv = process.env,
  root = process.getuid?.() === 0,
): NodeJS.ProcessEnv {
  return { LESS: 'FRX', ...(root ? { LESSSECURE: '1' } : {}), ...env };
}
