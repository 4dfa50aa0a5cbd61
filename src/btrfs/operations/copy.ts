import * as z from 'zod/mini';
import { operation } from '../../atomic/operation.ts';
import { nothing } from '../../command/index.ts';
import { receive, send } from '../send-commands.ts';
import {
  planReceived,
  receivedRecovery,
  receivedClaims,
  receivedUndo,
  receiveInto,
  receives,
} from './received-subvolume.ts';
import { askedSource, planSent, sentNeeds, sentPaths, sentUndo } from './sent.ts';

const undo = z.extend(receivedUndo, sentUndo);

/**
 * `tx.btrfs.copySubvolume`: sends a read-only subvolume into a directory of this or another btrfs
 * (`btrfs send | btrfs receive`), fully or, with a parent that was received there before, only the
 * differences. The copy appears complete and read-only, or not at all. Undo deletes it by its id,
 * and any incomplete copy.
 */
export const copySubvolume = operation({
  kind: 'btrfs.subvolume.copy',
  version: 1,
  args: z.strictObject({
    ...askedSource,
    /** Directory for the copy. */
    into: z.string(),
    /** Name of the copy in the directory (default: the name of the source). */
    name: z.exactOptional(z.string()),
  }),
  undo,
  ...receives,
  prepare: async ({ args: { into, name, ...asked }, mark, host }) => {
    const { stream, ...sent } = await planSent(host, asked);
    return { ...(await planReceived(host, { into, as: name, mark }, stream)), ...sent };
  },
  claims: async ({ undo: of, on }) => {
    const { makes, needs } = await receivedClaims(of, on);
    return { makes, needs: [...new Set([...needs, ...(await sentNeeds(of, on))])] };
  },
  run: async ({ undo: of, host }) => {
    const sent = await sentPaths(host, of);
    return receiveInto(host, of, (directory, signal) =>
      host.pipe({ commands: [send(sent), { ...receive({ directory }), signal }], parse: nothing }),
    );
  },
  describe: ({ way, ...of }) => receivedRecovery(`the copy of ${of.undo.source.path}`, of, way),
});
