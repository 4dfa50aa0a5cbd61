import { describe, expect, it } from 'vitest';
import { type OtherPeer, withOtherPeer } from '../../../src/drbd/other-peer.ts';
import { statementsIn } from '../../../src/drbd/statements.ts';

const peer: OtherPeer = {
  name: 'web1',
  own: { name: 'alpha', address: '10.1.0.1', port: 7790 },
  from: 'beta',
  to: {
    ...{ name: 'gamma', address: '10.1.0.3', port: 7790 },
    disk: { was: '/dev/vg0/web1', is: '/dev/data/web1' },
  },
};

const text = `# on beta { address 10.0.0.9:1; }
resource web1 {
  handlers { before-resync-target "/usr/lib/drbd/snapshot.sh { on beta; }"; }
  on "alpha" { # here
    device /dev/drbd3 minor 3;
    disk /dev/vg0/web1;
    address ipv4 10.0.0.1:7788;
    meta-disk internal;
  }
  on beta {
    node-id 1;
    volume 0 {
      device minor 3; disk "/dev/vg0/web1"; meta-disk internal;
    }
    address 10.0.0.2:7788; # there
  }
}
`;

describe('withOtherPeer', () => {
  it('replaces name, disk and addresses, and leaves every other byte', () => {
    expect(withOtherPeer(text, peer)).toBe(
      text
        .replace('ipv4 10.0.0.1:7788', 'ipv4 10.1.0.1:7790')
        .replace('  on beta {\n', '  on gamma {\n')
        .replace('disk "/dev/vg0/web1"', 'disk /dev/data/web1')
        .replace('address 10.0.0.2:7788', 'address ipv4 10.1.0.3:7790'),
    );
  });

  it('quotes a path that drbdadm could not read otherwise', () => {
    const to = { ...peer.to, disk: { was: '/dev/vg0/web1', is: '/dev/data/web1+a' } };
    expect(withOtherPeer(text, { ...peer, to })).toContain('disk "/dev/data/web1+a"; meta-disk internal;');
  });

  it('does not look for a disk that has the same path there', () => {
    const shared = `resource web1 { disk /dev/vg0/web1; on alpha { address 10.0.0.1:1; } on beta { address 10.0.0.2:1; } }`;
    const same = { ...peer, to: { ...peer.to, disk: { was: '/dev/vg0/web1', is: '/dev/vg0/web1' } } };
    expect(withOtherPeer(shared, same)).toContain('on gamma { address ipv4 10.1.0.3:7790; }');
    expect(() => withOtherPeer(shared, peer)).toThrow(
      'it does not contain exactly one line for the disk of beta',
    );
  });

  it.each([
    [
      'another resource',
      text.replace('resource web1', 'resource web2'),
      'it does not contain the resource exactly once',
    ],
    [
      'two names of a host',
      text.replace('on beta {\n', 'on beta b {\n'),
      'it does not contain the section "on beta" exactly once',
    ],
    [
      'a host twice',
      text.replace('on "alpha"', 'on beta'),
      'it does not contain the section "on alpha" exactly once',
    ],
    [
      'no address',
      text.replace('address 10.0.0.2:7788;', ''),
      'it does not contain exactly one address for gamma',
    ],
    [
      'a secret',
      text.replace('handlers {', 'net { shared-secret "x"; } handlers {'),
      'contains a shared secret',
    ],
  ])('refuses a file with %s', (_, wrong, words) => {
    expect(() => withOtherPeer(wrong, peer)).toThrow(words);
  });
});

describe('statementsIn', () => {
  it('reads words and braces with their offsets', () => {
    const [first, second] = statementsIn('a "b c" { d; } # e;\nf;');
    expect(first).toMatchObject({
      words: [
        { text: 'a', from: 0, to: 1 },
        { text: 'b c', from: 2, to: 7 },
      ],
      inner: [{ words: [{ text: 'd' }], inner: [] }],
    });
    expect(second?.words.map((each) => each.text)).toEqual(['f']);
  });
});
