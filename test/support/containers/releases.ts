import { afterAll, beforeAll, describe, inject } from 'vitest';
import { bootDebian, type Docker, dockerAt, type Machine } from './docker.ts';

export const releases = [
  { number: 12, suite: 'bookworm' },
  { number: 13, suite: 'trixie' },
] as const;

export type Release = (typeof releases)[number];

/** What `setup.ts` made for the files of the project, or why it could not. */
export type Containers =
  | { readonly skipped: string }
  | {
      readonly host: Docker['host'];
      readonly images: Readonly<Record<Release['suite'], string>>;
      readonly volumes: readonly string[];
    };

/**
 * The tests of a file in a container of each release, which has `bofh` in its PATH. They run one after
 * the other in a container, and the releases side by side.
 */
export function inContainers(tests: (machine: Machine, release: Release) => void): void {
  const containers = inject('containers');
  const skipped = 'skipped' in containers ? ` (skipped: ${containers.skipped})` : '';
  const describing = skipped === '' ? describe.concurrent : describe.skip;
  describing.each(releases)(`Debian $number${skipped}`, (release) => {
    describe('in a container', { concurrent: false }, () => {
      let booted: Machine | undefined;
      const there = (): Machine => {
        if (booted === undefined) throw new Error('the container did not boot');
        return booted;
      };
      beforeAll(async () => {
        if ('skipped' in containers) return;
        const { host, images, volumes } = containers;
        booted = await bootDebian(dockerAt(host), { image: images[release.suite], volumes, network: 'none' });
        await booted.must('ln -s /usr/lib/bofh/dist/bofh.cjs /usr/local/bin/bofh');
      });
      afterAll(async () => booted?.remove());
      tests(
        {
          run: (script) => there().run(script),
          must: (script) => there().must(script),
          put: (path, content) => there().put(path, content),
          boot: () => there().boot(),
          remove: () => there().remove(),
        },
        release,
      );
    });
  });
}
