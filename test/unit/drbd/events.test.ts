import { describe, expect, it } from 'vitest';
import { drbdEvents } from '../../../src/drbd/commands.ts';
import { findings, type ResourceState } from '../../../src/drbd/index.ts';
import { recorded } from '../blockdevice/fixtures.ts';

const rig = '9.22.0-module-8.4.11';
const manualRecovery = '9.22.0-module-9-by-hand';

const parse = (text: string) => drbdEvents().parse({ exitCode: 0, stdout: text, stderr: '' });
const events = (name: string) => recorded(`drbdsetup/events2-${name}`).stdout;

const all = [
  ...[
    'none',
    'no-metadata',
    'diskless',
    'inconsistent',
    'primary',
    'standalone',
    'two-volumes',
    'pair-connected',
    'pair-syncing',
    'pair-paused',
    'pair-uptodate',
    'pair-split-brain',
  ].map((name) => `${name}@${rig}`),
  ...['three-hosts', 'client'].map((name) => `${name}@${manualRecovery}`),
];

describe('drbdsetup events2', () => {
  it('runs once, with counters, and without waiting', () => {
    expect(drbdEvents()).toMatchObject({
      tool: 'drbdsetup',
      argv: ['events2', '--now', '--statistics'],
      access: 'read',
    });
    expect(recorded(`drbdsetup/events2-primary@${rig}`).argv.slice(1)).toEqual(drbdEvents().argv);
  });

  it('of a host without resources is empty', () => {
    expect(parse(events(`none@${rig}`))).toEqual([]);
  });

  it('of an 8.4 module shows role, disk, size and connection, in the words of 9', () => {
    expect(parse(events(`primary@${rig}`))).toEqual([
      {
        ...{ name: 'r0', role: 'Primary', suspended: [] },
        volumes: [{ volume: 0, minor: 0, disk: 'UpToDate', size: 209_670_144, written: 0 }],
        connections: [
          {
            ...{ peer: 'peer', nodeId: 0, state: 'Connecting', role: 'Unknown', paths: [] },
            volumes: [
              { volume: 0, replication: 'Off', disk: 'DUnknown', paused: [], outOfSync: 209_670_144 },
            ],
          },
        ],
      },
    ]);
  });

  it('without a connection has no name of the peer, and without metadata no size', () => {
    const [r0] = parse(events(`no-metadata@${rig}`));

    expect(r0?.volumes).toEqual([{ volume: 0, minor: 0, disk: 'Diskless' }]);
    expect(r0?.connections.map(({ peer, state }) => [peer, state])).toEqual([['peer', 'StandAlone']]);
  });

  it('has a volume for each of several', () => {
    const [rsix] = parse(events(`two-volumes@${rig}`));

    expect(rsix?.volumes.map(({ volume, minor, size }) => [volume, minor, size])).toEqual([
      [0, 6, 204_756 * 1024],
      [1, 7, 204_800 * 1024],
    ]);
    expect(rsix?.connections[0]?.volumes.map(({ volume }) => volume)).toEqual([0, 1]);
  });

  it('of a pair shows how much is out of sync, the direction, and why it stopped', () => {
    const seen = (name: string) =>
      parse(events(`${name}@${rig}`)).map(({ volumes, connections }) => {
        const [peer] = connections[0]?.volumes ?? [];
        return [volumes[0]?.disk, peer?.replication, peer?.disk, peer?.outOfSync, peer?.paused];
      });

    expect(seen('pair-syncing')).toEqual([
      ['UpToDate', 'SyncSource', 'Inconsistent', 64_060 * 1024, []],
      ['Inconsistent', 'SyncTarget', 'UpToDate', 64_060 * 1024, []],
    ]);
    expect(seen('pair-paused')).toEqual([
      ['UpToDate', 'PausedSyncS', 'Inconsistent', 53_308 * 1024, ['user']],
      ['Inconsistent', 'PausedSyncT', 'UpToDate', 53_308 * 1024, ['peer']],
    ]);
    expect(seen('pair-uptodate')).toEqual([
      ['UpToDate', 'Established', 'UpToDate', 0, []],
      ['UpToDate', 'Established', 'UpToDate', 0, []],
    ]);
  });

  it('of module 9 shows each peer with its addresses, the backing device, and how much is out of sync', () => {
    const [web1] = parse(events(`three-hosts@${manualRecovery}`));

    expect(web1?.volumes).toMatchObject([{ minor: 1000, backing: '/dev/vg0/web1' }]);
    expect(web1?.connections.map(({ peer, nodeId, paths }) => [peer, nodeId, paths])).toEqual([
      ['bob', 1, [{ local: 'ipv4:10.1.1.31:7789', peer: 'ipv4:10.1.1.32:7789' }]],
      ['carol', 2, [{ local: 'ipv6:[fd00::31]:7789', peer: 'ipv6:[fd00::33]:7789' }]],
    ]);
    expect(web1?.connections[1]?.volumes).toEqual([
      { volume: 0, replication: 'SyncSource', disk: 'Inconsistent', paused: [], outOfSync: 256 * 1024 ** 2 },
    ]);
  });

  it('of module 9 shows why I/O is suspended, and a client has no backing device', () => {
    const [web1] = parse(events(`client@${manualRecovery}`));

    expect(web1?.suspended).toEqual(['quorum', 'no-data']);
    expect(web1?.volumes[0]).toEqual({
      volume: 0,
      minor: 1000,
      disk: 'Diskless',
      size: 1024 ** 3,
      written: 0,
    });
  });

  it.each(all)(
    '%s: an answer with a missing line is an error, except for the path of a connection',
    (name) => {
      const lines = events(name).split('\n').slice(0, -1);
      for (const [at, line] of lines.entries())
        if (!line.startsWith('exists path '))
          expect(() => parse(`${lines.toSpliced(at, 1).join('\n')}\n`), line).toThrow();
    },
  );

  it.each(all)(
    '%s: an answer with a repeated line, truncated, or with a damaged word is an error',
    (name) => {
      const text = events(name);
      const lines = text.split('\n').slice(0, -1);
      for (const [at, line] of lines.entries()) {
        if (!line.startsWith('exists path '))
          expect(() => parse(`${lines.toSpliced(at, 0, line).join('\n')}\n`), line).toThrow();
        const spoiled = line.replace(/(?<key>role|disk|connection|replication|peer|-):?\S*$/, 'x y');
        if (spoiled !== line) expect(() => parse(`${lines.with(at, spoiled).join('\n')}\n`), line).toThrow();
      }
      expect(() => parse(text.slice(0, -1))).toThrow();
      expect(() => parse('')).toThrow();
    },
  );

  it.each([
    'role',
    'suspended',
    'minor',
    'disk',
    'connection',
    'replication',
    'peer-disk',
    'resync-suspended',
  ])('a missing or unknown %s is an error', (key) => {
    const text = events(`primary@${rig}`);
    const fact = new RegExp(` ${key}:\\S+`);

    expect(text).toMatch(fact);
    expect(() => parse(text.replace(fact, ''))).toThrow();
    expect(() => parse(text.replace(fact, ` ${key}:Odd9!`))).toThrow();
    expect(() => parse(text.replace(fact, (found) => `${found}${found}`))).toThrow('twice');
  });
});

describe('the problems of a resource', () => {
  const of = (name: string) =>
    parse(events(name)).flatMap((state) => findings({ name: state.name, state }).map(({ words }) => words));

  it('a resource that is down is reported with the command that brings it up', () => {
    expect(findings({ name: 'web1' })).toEqual([
      { level: 'note', words: 'it is not up', remedy: 'bring it up: bofh drbd up web1' },
    ]);
  });

  it('StandAlone is more than a lost connection: both causes are reported, and nothing is discarded automatically', () => {
    const [state] = parse(events(`standalone@${rig}`));
    const found = findings({ name: 'r0', ...(state === undefined ? {} : { state }) });

    expect(found.find(({ words }) => words.includes('split brain'))).toMatchObject({
      level: 'problem',
      remedy: expect.stringMatching(
        /bofh drbd connect r0.*choose.*--discard-my-data r0.*That of the other host/,
      ) as unknown,
    });
  });

  it('a split brain is reported on both sides, and a healthy pair has no problems', () => {
    expect(of(`pair-split-brain@${rig}`).filter((words) => words.includes('split brain'))).toHaveLength(2);
    expect(of(`pair-uptodate@${rig}`)).toEqual(
      Array(2).fill('it is up, but no file of the configuration has it'),
    );
  });

  it('include a volume without a disk, an inconsistent one, and a missing peer', () => {
    expect(of(`no-metadata@${rig}`)).toContain('volume 0 has no disk here');
    expect(of(`inconsistent@${rig}`)).toContain('volume 0 is inconsistent here: its data cannot be used');
    expect(of(`primary@${rig}`)).toContain('it has no connection to peer (Connecting)');
  });

  it('include a running resync, and why I/O is suspended', () => {
    expect(of(`three-hosts@${manualRecovery}`)).toContain('volume 0 is in SyncSource with carol');
    expect(of(`client@${manualRecovery}`)).toContain('its I/O is suspended (quorum, no-data)');
  });

  const three = () => {
    const [state] = parse(events(`three-hosts@${manualRecovery}`));
    if (state === undefined) throw new TypeError('no resource');
    const [bob, carol] = state.connections;
    if (bob === undefined || carol === undefined) throw new TypeError('no peers');
    return { state, bob, carol };
  };
  const wordsOf = (state: ResourceState, more: object = {}) =>
    findings({ name: 'web1', state, ...more }).map(({ words }) => words);

  it('of three hosts: a bad copy is not reported as the only good one', () => {
    const { state, bob, carol } = three();
    const bad = {
      ...carol,
      volumes: carol.volumes.map((each) => ({ ...each, replication: 'Established' }) as const),
    };
    expect(wordsOf({ ...state, connections: [bob, bad] })).toContain(
      'volume 0 is Inconsistent on carol; it is up to date on this host, bob',
    );
    expect(wordsOf({ ...state, connections: [bad] })).toContain(
      'volume 0 is Inconsistent on carol: this host has the only good copy, or there is none',
    );
  });

  it('of three hosts: one peer that is StandAlone is connected by its name', () => {
    const { state, bob, carol } = three();
    const found = findings({
      name: 'web1',
      state: { ...state, connections: [bob, { ...carol, state: 'StandAlone' }] },
    });
    expect(found.find(({ words }) => words.includes('StandAlone'))?.remedy).toContain(
      'If it was disconnected: drbdadm connect web1:carol.',
    );
  });

  it('include volumes and connections that only the configuration has', () => {
    const { state } = three();
    const volume = { volume: 1, minor: 1001, device: '/dev/drbd1001', metadata: 'internal' } as const;
    const here = { names: ['alice'], volumes: [volume] };
    const to = (peer: string) => ({ hosts: ['alice', peer], net: {} });
    const configured = {
      ...{ name: 'web1', file: '/etc/drbd.d/web1.res', line: 1, hosts: [here], options: {} },
      connections: ['bob', 'carol', 'dave'].map(to),
    };
    expect(wordsOf(state, { configured, here }).slice(0, 2)).toEqual([
      'volume 1 of its configuration is not up',
      'it has 2 of the 3 connections of its configuration',
    ]);
  });
});
