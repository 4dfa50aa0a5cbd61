// Which files of earlier builds stay in dist/: a bofh that runs now may still load a part of the build that it began with.

/**
 * Of a build that has written `written` where `before` is what the last build noted: the files that stay, and what is
 * noted for the next build. The build before this one stays, and goes with the next. One that changes nothing is no new one.
 */
export function generations(written, before) {
  const now = [...new Set(written)].sort();
  const last = before.now;
  const same = now.length === last.length && now.every((name, index) => name === last[index]);
  const previous = (same ? before.previous : last).filter((name) => !now.includes(name));
  return { kept: [...now, ...previous], note: { now, previous } };
}

/** What a build noted. One that cannot be read knows of nothing. */
export function parseNote(text) {
  try {
    const { now, previous } = JSON.parse(text);
    const names = (list) => Array.isArray(list) && list.every((name) => typeof name === 'string');
    return names(now) && names(previous) ? { now, previous } : undefined;
  } catch {
    return undefined;
  }
}
