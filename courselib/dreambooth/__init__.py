"""Chapter 11: diffusion and DreamBooth, one idea a module, in the order of the chapter.

pictures        a world of small pictures in which everything is known, and subjects that it does not have
looking         an observer that is exact; shares, drift, fidelity
painter         the parts of a text-to-image model, and how one is loaded
noising         forward: a picture drowns in noise, in one formula for every level
sampling        backward: DDPM, DDIM, guidance
personal        DreamBooth: a subject, a rare word, and the model's own pictures against forgetting
line            a model on a line, in which drift is exact
trials          one subject learned, and what became of it and of its class
make_diffusion  the course's diffusion model, made again

Papers: Ho et al. 2020, arXiv:2006.11239; Song et al. 2021, arXiv:2010.02502; Ruiz et al. 2023, arXiv:2208.12242.
"""
