"use strict";
for (const card of document.querySelectorAll(".card")) {
  const audio = card.querySelector("audio");
  const view = card.querySelector(".view");
  const head = card.querySelector(".playhead");
  const follow = () => {
    head.style.left = 100 * audio.currentTime / (audio.duration || 1) + "%";
    if (!audio.paused) requestAnimationFrame(follow);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    card.classList.add("playing");
    follow();
  });
  audio.addEventListener("pause", () => card.classList.remove("playing"));
  view.addEventListener("click", (event) => {
    const box = view.getBoundingClientRect();
    if (audio.duration) audio.currentTime = audio.duration * (event.clientX - box.left) / box.width;
    audio.play();
  });
}
