import SwiftUI

/// The one screen: the conversation, what goes on, and the question that is written.
public struct ChatScreen: View {
    @State private var chat: ChatModel
    @State private var question = ""

    /// A chat with the store at a URL.
    public init(source: URL) { _chat = State(initialValue: ChatModel(source: source)) }

    public var body: some View {
        VStack(spacing: 8) {
            ScrollView {
                LazyVStack(alignment: .leading, spacing: 12) {
                    ForEach(chat.turns) { turn in
                        Text(turn.question).padding(8).background(.quaternary, in: .rect(cornerRadius: 8))
                        Text(turn.answer).textSelection(.enabled)
                    }
                }
                .frame(maxWidth: .infinity, alignment: .leading)
            }
            .defaultScrollAnchor(.bottom)
            if let progress = chat.progress { ProgressView(value: progress) }
            Text(chat.status).font(.footnote).foregroundStyle(.secondary).accessibilityAddTraits(.updatesFrequently)
            HStack(alignment: .bottom) {
                TextField("Ask something", text: $question, axis: .vertical).lineLimit(1...5).textFieldStyle(.roundedBorder)
                if chat.busy {
                    Button("Stop", action: chat.stop)
                } else if chat.isOpen {
                    Button("Send", action: send).disabled(trimmed.isEmpty)
                } else {
                    Button("Try again", action: chat.prepare)
                }
            }
        }
        .padding()
        .task { if !chat.isOpen && !chat.busy { chat.prepare() } }
    }

    private var trimmed: String { question.trimmingCharacters(in: .whitespacesAndNewlines) }

    private func send() {
        chat.send(trimmed)
        question = ""
    }
}
