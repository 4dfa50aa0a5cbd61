import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { atomic, connect, eventText, type SequenceEvent, withBofh } from '../../src/index.ts';

describe.skipIf(process.getuid?.() !== 0)('the events of a sequence on this host', () => {
  it('name each program that runs, also in the undo', async () => {
    const work = mkdtempSync(join(tmpdir(), 'bofh-events-'));
    const file = join(work, 'image');
    const events: SequenceEvent[] = [];
    const bofh = connect({ stateDir: join(work, 'state'), onEvent: (event) => void events.push(event) });
    try {
      const failed = withBofh(bofh, () =>
        atomic('image', async (tx) => {
          await tx.block.createImage({ file, size: '64m' });
          const { device } = await tx.block.attachLoop({ file });
          await tx.filesystem.create({ device, type: 'ext4' });
          throw new Error('no');
        }),
      );
      await expect(failed).rejects.toMatchObject({ code: 'rolled-back' });

      const programs = events.flatMap((event) =>
        event.type === 'progress' ? [`${event.direction} ${event.kind} ${event.command.tool}`] : [],
      );
      expect(programs).toEqual(
        expect.arrayContaining([
          'forward block.loop.attach losetup',
          'forward filesystem.create mkfs.ext4',
          'back block.loop.attach losetup',
        ]),
      );
      expect(events.filter(({ type }) => type === 'step-undone')).toHaveLength(3);
      const mkfs = events.find(
        (event) => event.type === 'progress' && event.command.tool === 'mkfs.ext4',
      ) as SequenceEvent;
      expect(eventText(mkfs)).toMatch(/^"image" \([0-9a-f]{12}\): step 3 filesystem\.create: mkfs\.ext4 /);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
});
