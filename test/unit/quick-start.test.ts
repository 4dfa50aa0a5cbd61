import { expect, it } from 'vitest';
import { readSite } from '../../src/script/site.ts';
import { simulatedBofh } from '../../src/simulator/index.ts';
import { blocks, pageOf } from '../support/pages.ts';
import { runVerb } from './cli/support/run-verb.ts';
import { testRuntime } from './cli/support/runtime.ts';
import { hostWithServer, reachable } from './simulator/support.ts';

it('docs/quick-start.md: its commands work in order, with only the settings of init', async () => {
  const host = hostWithServer();
  host.admin.writeFile('/root/.ssh/id_ed25519.pub', `${reachable.sshKeys?.[0] ?? ''}\n`);
  const path = '/etc/bofh/site-specific.ts';
  const site = () =>
    readSite(path, {
      ...{ source: host.admin.readFile(path), cache: 'unused', warn: () => undefined },
    });
  const lines = blocks(pageOf('docs/quick-start.md'), 'console').flatMap((block) => block.trim().split('\n'));
  const [base, init, create, remove, createLv, list, undo, recover] = lines.map((line) =>
    line.replace(/^# bofh /, ''),
  );
  const run = async (line = '') => {
    const bofh = simulatedBofh({ host, ...(line === init ? {} : { site: await site() }) });
    const { runtime, stdout } = testRuntime(bofh, { yes: true });
    return [await runVerb(runtime, line), stdout()] as const;
  };

  host.admin.writeFile('/usr/lib/grub-xen/grub-x86_64-xen.bin', 'grub');
  const { runtime } = testRuntime(simulatedBofh({ host }));
  expect(await runVerb(runtime, base ?? '')).toBe(0);
  expect(await run(init)).toEqual([0, expect.stringContaining('the only bridge: xenbr0')]);
  const before = host.snapshot();
  expect(await run(create)).toEqual([0, expect.stringContaining('log in with: ssh root@192.0.2.10\n')]);
  expect(await run(remove)).toEqual([0, expect.anything()]);
  expect(host.snapshot()).toBe(before);
  expect(await run(createLv)).toEqual([0, expect.anything()]);
  expect(host.snapshot()).not.toBe(before);
  const [, listed] = await run(list);
  const id = /^(?<id>[0-9a-f]{12}) .*lvm\.createLv/m.exec(listed)?.groups?.id ?? 'not listed';
  expect(await run(undo?.replace(/[0-9a-f]{12}/, id))).toEqual([0, expect.anything()]);
  expect(host.snapshot()).toBe(before);
  expect(await run(recover)).toEqual([0, expect.anything()]);
});
