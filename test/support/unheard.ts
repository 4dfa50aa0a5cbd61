import { afterEach, beforeEach } from 'vitest';

/** Unhandled rejections in each test of the file that calls this: they would end the process. */
export function hearingRejections(): () => readonly unknown[] {
  let unheard: unknown[] = [];
  const hear = (error: unknown): void => void unheard.push(error);
  beforeEach(() => {
    unheard = [];
    process.on('unhandledRejection', hear);
  });
  afterEach(() => void process.off('unhandledRejection', hear));
  return () => unheard;
}
