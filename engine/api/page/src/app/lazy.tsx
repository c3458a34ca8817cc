// Parts that are loaded when they are first shown.

import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Notice } from './parts';

/** A component whose code is fetched once, at its first use. */
export function lazy<P extends object>(load: () => Promise<ComponentType<P>>): ComponentType<P> {
  let loaded: ComponentType<P> | null = null;
  return function Lazy(props: P) {
    const [state, setState] = useState<{ part: ComponentType<P> | null; failed: boolean }>({
      part: loaded,
      failed: false,
    });
    useEffect(() => {
      if (state.part) return;
      let isHere = true;
      load().then(
        (part) => {
          loaded = part;
          if (isHere) setState({ part, failed: false });
        },
        () => isHere && setState({ part: null, failed: true }),
      );
      return () => void (isHere = false);
    }, []);
    if (state.failed) return <Notice kind="error">a part of the page could not be loaded; load the page anew</Notice>;
    const Part = state.part;
    return Part ? <Part {...props} /> : <p class="loading">loading…</p>;
  };
}
