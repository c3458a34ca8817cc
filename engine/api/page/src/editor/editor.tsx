// The editor for TraceQL: a plain text field until its code is there, which is loaded when it is first shown.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Mounted } from './mount';

export interface EditorProps {
  /** What it holds until a person writes; another text takes the place of what was written. */
  start: string;
  range: { from: number; to: number } | null;
  /** What the server said of this text, with a line and a column if it named them. */
  wrong: string;
  onChange: (text: string) => void;
  onSubmit: (text: string) => void;
}

export function Editor(props: EditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const mounted = useRef<Mounted | null>(null);
  const [isReady, setIsReady] = useState(false);
  const [typed, setTyped] = useState(props.start);
  useEffect(() => setTyped(props.start), [props.start]);
  const latest = useRef(props);
  latest.current = props;
  const written = useRef(typed);
  written.current = typed;
  useEffect(() => {
    let isHere = true;
    import('./mount').then(
      ({ mount }) => {
        if (!isHere || !host.current) return;
        mounted.current = mount(host.current, written.current, () => latest.current);
        setIsReady(true);
      },
      () => undefined,
    ); // the plain field goes on
    return () => {
      isHere = false;
      mounted.current?.destroy();
    };
  }, []);
  useEffect(() => mounted.current?.setText(props.start), [props.start]);
  useEffect(() => mounted.current?.setWrong(props.wrong), [props.wrong, isReady]);
  return (
    <div class="editor">
      <div class="editor-host" ref={host} hidden={!isReady} />
      {!isReady && (
        <textarea
          aria-label="TraceQL"
          rows={2}
          value={typed}
          spellcheck={false}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            props.onChange(event.currentTarget.value);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey) return;
            event.preventDefault();
            props.onSubmit(event.currentTarget.value);
          }}
        />
      )}
    </div>
  );
}
