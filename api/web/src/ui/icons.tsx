/** The page's own line icons, drawn on a 24 by 24 grid. */

const paths = {
  mic: "M12 3.5a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0v-5a3 3 0 0 1 3-3zM5.5 11a6.5 6.5 0 0 0 13 0M12 17.5V21",
  "mic-off":
    "M4 4l16 16M9 9v2.5a3 3 0 0 0 4.6 2.5M15 10.5v-4a3 3 0 0 0-5.8-1M5.5 11a6.5 6.5 0 0 0 10.3 5.3M18.5 11c0 .9-.2 1.8-.5 2.6M12 17.5V21",
  camera: "M3.5 7.5a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v9a2 2 0 0 1-2 2h-8a2 2 0 0 1-2-2zM15.5 10.5l5-3v9l-5-3",
  "camera-off":
    "M4 4l16 16M9 5.5h4.5a2 2 0 0 1 2 2V12M15.5 13.5l5 3v-9l-4 2.4M15.3 17.4a2 2 0 0 1-1.8 1.1h-8a2 2 0 0 1-2-2v-9c0-.6.3-1.2.8-1.6",
  people:
    "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.5-3.2 3.2-5 6.5-5s6 1.8 6.5 5M15.5 4.8a3.5 3.5 0 0 1 0 6.4M18 14.9c2 .8 3.2 2.4 3.5 4.6",
  person: "M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5c.6-3.8 3.7-6 7.5-6s6.9 2.2 7.5 6",
  invite: "M10 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 19.5c.5-3.2 3.5-5 7-5 1.3 0 2.5.2 3.6.7M18 13v7M14.5 16.5h7",
  phone:
    "M6.2 3.5h2.6l1.7 4.3-2.2 1.6a12 12 0 0 0 6.3 6.3l1.6-2.2 4.3 1.7v2.6a2.5 2.5 0 0 1-2.7 2.5C10.6 19.7 4.3 13.4 3.7 6.2a2.5 2.5 0 0 1 2.5-2.7z",
  leave:
    "M3.2 15.6c-.9-1-.9-2.5.1-3.4 4.9-4.3 12.5-4.3 17.4 0 1 .9 1 2.4.1 3.4l-.6.7a1.5 1.5 0 0 1-1.8.3l-2.6-1.3a1.5 1.5 0 0 1-.8-1.3v-1.7a9.5 9.5 0 0 0-6 0V14c0 .6-.3 1.1-.8 1.3l-2.6 1.3a1.5 1.5 0 0 1-1.8-.3z",
  role: "M12 3.5l7 2.5v5.5c0 4.2-2.9 7.5-7 9-4.1-1.5-7-4.8-7-9V6zM12 8.3l1.1 2.3 2.5.3-1.8 1.7.5 2.5-2.3-1.2-2.3 1.2.5-2.5-1.8-1.7 2.5-.3z",
  remove:
    "M4.5 6.5h15M9.5 6.5V4.5h5v2M6.5 6.5l.8 12a1.5 1.5 0 0 0 1.5 1.5h6.4a1.5 1.5 0 0 0 1.5-1.5l.8-12M10 10.5v6M14 10.5v6",
  close: "M6 6l12 12M18 6L6 18",
  copy: "M9 8.5a1.5 1.5 0 0 1 1.5-1.5h7A1.5 1.5 0 0 1 19 8.5v10a1.5 1.5 0 0 1-1.5 1.5h-7A1.5 1.5 0 0 1 9 18.5zM15 7V5.5A1.5 1.5 0 0 0 13.5 4h-7A1.5 1.5 0 0 0 5 5.5v10A1.5 1.5 0 0 0 6.5 17H9",
  check: "M5 12.5l4.5 4.5L19 7.5",
  more: "M12 6.2v.1M12 12v.1M12 17.8v.1",
  back: "M14.5 5.5L8 12l6.5 6.5",
  forward: "M9.5 5.5L16 12l-6.5 6.5",
  down: "M6 9.5l6 6 6-6",
  again: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 3.5v4h-4",
  eye: "M2.5 12s3.5-6.5 9.5-6.5 9.5 6.5 9.5 6.5-3.5 6.5-9.5 6.5S2.5 12 2.5 12zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  plus: "M12 5v14M5 12h14",
  sound: "M4 9.5v5h3.5l5 4v-13l-5 4zM16 9a4.2 4.2 0 0 1 0 6M18.5 6.5a8 8 0 0 1 0 11",
  mail: "M3.5 7a1.5 1.5 0 0 1 1.5-1.5h14A1.5 1.5 0 0 1 20.5 7v10a1.5 1.5 0 0 1-1.5 1.5H5A1.5 1.5 0 0 1 3.5 17zM4 7.5l8 5.5 8-5.5",
  alert: "M12 3.8l9 16H3zM12 10v4.5M12 17.2v.1",
  exit: "M14 4.5H6.5A1.5 1.5 0 0 0 5 6v12a1.5 1.5 0 0 0 1.5 1.5H14M10.5 12H20M16.5 8.5L20 12l-3.5 3.5",
} as const;

export type IconName = keyof typeof paths;

/** A decorative icon: the control around it carries the name. */
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      class={`icon icon-${name}`}
      viewBox="0 0 24 24"
      width={size}
      height={size}
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}

/** The mark of the product: one line that several people share. */
export function Logo({ size = 30 }: { size?: number }) {
  return (
    <svg class="logo" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" focusable="false">
      <rect class="logo-ground" width="32" height="32" rx="9" />
      <path class="logo-line" d="M7 20a5 5 0 0 1 5-5h8a5 5 0 0 0 5-5" />
      <circle class="logo-end" cx="7" cy="22" r="3.1" />
      <circle class="logo-end" cx="25" cy="8.6" r="3.1" />
      <circle class="logo-mid" cx="16" cy="15" r="2.3" />
    </svg>
  );
}
