// Package mobile is a language model for an app on Android or iOS. gomobile makes an AAR or an xcframework of it, so its exported types are
// those that gomobile can bind; README.md says how, and android and ios hold an app each.
//
//	Opener opener = new Opener(modelDir, draftDir);                   // Java; on a thread of its own, the first time it takes long
//	opener.setMemoryBytes(2L << 30);
//	Engine engine = opener.open((task, done, total) -> show(task, done, total));
//	Answer answer = engine.generate("Why is the sky blue?", null, text -> { show(text); return true; });
//
// # Errors
//
// Methods throw. [KindOf] tells what an app can do about what was thrown.
package mobile
